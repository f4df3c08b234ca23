import type { PauseAnswer } from '../engine/api.ts'
import type { Pause } from '../store/store.ts'
import { usage } from './args.ts'

/** What a verb holds or lets go: the word of a command line. @throws `usage` */
export function pausable(verb: string, word: string | undefined): Pause['what'] {
  if (word === 'handler' || word === 'source' || word === 'dependency') return word
  throw usage(`${verb} takes "handler", "source" or "dependency", and a name`)
}

/** What a paused or resumed name stands for today: a misspelt one stands for nothing. */
export function matching(what: Pause['what'], { matches }: PauseAnswer): string {
  const { handlers, sources } = matches
  if (what === 'handler') return handlers > 0 ? '.' : ': no handler has this name today.'
  if (what === 'dependency') return users(handlers)
  const take = handlers === 1 ? '1 handler takes' : `${handlers} handlers take`
  if (handlers + sources === 0) return ': no source has this name today, and no handler takes its events.'
  return `${sources > 0 ? '' : ' (not configured here)'}: ${take} its events.`
}

/** Who uses a dependency, as the process that was asked knows it. */
export function users(handlers: number): string {
  if (handlers === 0) return ': no handler of the server that was asked uses it.'
  return `: ${handlers === 1 ? '1 handler uses' : `${handlers} handlers use`} it.`
}
