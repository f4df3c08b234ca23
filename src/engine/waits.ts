import { HapaxError } from '../errors/hapax-error.ts'
import { WaitTimeout } from '../event/outcome.ts'
import { type StepAddress, stepText } from '../event/run.ts'
import { sleep } from '../kit/clock.ts'
import { type Duration, toMs } from '../kit/duration.ts'
import { limits } from '../kit/limits.ts'
import type { Attempt } from './attempt.ts'
import { recordError } from './run-errors.ts'

/** A durable sleep: its end is fixed by its first checkpoint. Of a second or more, the slot is free meanwhile. */
export async function sleepUntil(
  attempt: Attempt,
  step: StepAddress,
  text: string,
  duration: Duration,
): Promise<unknown> {
  const done = attempt.checkpoints.get(text)
  const startedAt = attempt.host.now()
  const until = done?.until ?? startedAt + toMs(duration)
  const facts = { startedAt, firstTriedAt: startedAt, until }
  if (!done && until - startedAt < limits.shortWaitMs) {
    await sleep(attempt.host.clock, until - startedAt)
    return attempt.keep(step, text, facts)
  }
  if (!done) {
    await attempt.keep(step, text, facts)
    if (attempt.ended) return attempt.forgotten()
  }
  if (until <= attempt.host.now()) return undefined
  return attempt.suspend({ status: 'scheduled', dueAt: until, waitingFor: undefined })
}

/**
 * A durable wait for a signal: the first of its name, in commit order, that no other wait took. Its deadline counts from
 * its begin, which is on record; a timeout is a checkpoint, so that every later attempt sees the same.
 */
export async function waitForSignal(
  attempt: Attempt,
  step: StepAddress,
  text: string,
  timeout: Duration | undefined,
): Promise<unknown> {
  const timeoutMs = timeout === undefined ? undefined : toMs(timeout)
  const { host, subject } = attempt
  let startedAt = subject.record.begins.find((begin) => begin.step && stepText(begin.step) === text)?.at
  for (;;) {
    const now = host.now()
    const signal = attempt.signals.take(step.name)
    if (signal) {
      const first = startedAt ?? now
      return attempt.keep(step, text, {
        startedAt: first,
        firstTriedAt: first,
        value: signal.detail,
        signal: signal.key,
      })
    }
    if (startedAt === undefined) {
      startedAt = now
      const { owned, record } = subject
      const item = { owned, run: record, generation: attempt.generation, attempt: subject.attempt, step, at: now }
      if ((await host.committer.begin(item)) === 'stale') return attempt.lost()
      continue
    }
    const deadline = timeoutMs === undefined ? undefined : startedAt + timeoutMs
    if (timeoutMs !== undefined && deadline !== undefined && deadline <= now) {
      const error = recordError(new HapaxError('wait_timeout', { name: step.name, timeoutMs }))
      await attempt.keep(step, text, { startedAt, firstTriedAt: startedAt, error })
      if (attempt.ended) return attempt.forgotten()
      throw new WaitTimeout(step.name, timeoutMs)
    }
    if (deadline === undefined || deadline - now >= limits.shortWaitMs) {
      return attempt.suspend({ status: 'waiting', dueAt: deadline, waitingFor: step.name })
    }
    await attempt.signals.shortWait(deadline - now)
  }
}
