import type { PauseAnswer } from '../engine/api.ts'

/** What a paused or resumed name stands for today: a misspelt one stands for nothing. */
export function matching(what: 'handler' | 'source', { matches }: PauseAnswer): string {
  const { handlers, sources } = matches
  const take = handlers === 1 ? '1 handler takes' : `${handlers} handlers take`
  if (what === 'handler') return handlers > 0 ? '.' : ': no handler has this name today.'
  if (handlers + sources === 0) return ': no source has this name today, and no handler takes its events.'
  return `${sources > 0 ? '' : ' (not configured here)'}: ${take} its events.`
}
