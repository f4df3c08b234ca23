import type { Occurrence } from '../event/alert.ts'
import type { RunState } from '../event/run.ts'
import { lacksHandler } from './decide.ts'
import { plainWord } from './plain-word.ts'

/** What a settlement tells people, if anything. Of the error its code alone: a message may hold what the handler was given. */
export function runAlert(
  run: string,
  handlerName: () => string,
  before: RunState | undefined,
  next: RunState,
): Occurrence | undefined {
  const kind = kindOf(before, next)
  if (!kind) return undefined
  const handler = handlerName()
  const reason = plainWord(next.reason ?? 'none')
  const code = next.error && plainWord(next.error.code)
  const messages = {
    run_expired: `A run of ${handler} expired, and is dead.`,
    run_dead: `A run of ${handler} is dead: ${reason}.`,
    run_unknown: `A run of ${handler} is unknown: ${reason}. A person decides.`,
    no_handler: `Runs of ${handler} wait: no live node has this handler.`,
  }
  const details = { run, handler, reason, ...(code !== undefined && code !== reason && { code }) }
  return { kind, subject: handler, message: messages[kind], details, lasting: kind === 'no_handler' }
}

function kindOf(
  before: RunState | undefined,
  next: RunState,
): 'run_expired' | 'run_dead' | 'run_unknown' | 'no_handler' | undefined {
  if (next.status === 'dead') return next.error?.code === 'run_expired' ? 'run_expired' : 'run_dead'
  if (next.status === 'unknown') return 'run_unknown'
  return lacksHandler(before, next) ? 'no_handler' : undefined
}
