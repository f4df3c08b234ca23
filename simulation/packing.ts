import { type BatchItem, batchHandler } from '../src/engine/batch-handler.ts'
import type { Handler, HandlerOptions } from '../src/engine/handler.ts'
import type { Site } from './code.ts'
import type { Entered } from './model/run-facts.ts'
import type { BatchPlan, Deed } from './plan.ts'

/** The one step of each run of a batch. */
const step = { kind: 'step', name: 'batch', of: '' } as const

/** A handler that is called for several events at once, and does what each of them says. */
export function packing(
  { clock, model, node, outside }: Site,
  { size, withinMs, takesMs }: BatchPlan,
  options: Pick<HandlerOptions, 'source' | 'retry' | 'timeout'>,
): Handler {
  /** Which attempts wait for a batch, by their events. */
  const attempts = new Map<string, Entered>()
  const body = async (items: readonly BatchItem[]) => {
    model.batches.called(items, size)
    for (const { event, key } of items) {
      const at = attempts.get(event.key)
      if (at) model.steps.called(at, step, key, 'plain')
    }
    await new Promise<void>((resolve) => clock.setTimer(takesMs, resolve))
    const failures = items.map(({ event }) => {
      const { deeds } = event.data as { readonly deeds: readonly Deed[] }
      const fails = deeds.find((deed) => deed.do === 'throws')
      return fails && outside.count(`batches of ${event.key}`) < fails.times ? fails.name : undefined
    })
    if (failures.includes('all')) {
      model.watch.reach('batch failed for all')
      throw new Unpacked('all')
    }
    if (items.length > 1 && failures.includes('alone')) model.watch.reach('one of a batch failed')
    return items.map(({ event }, index) => (failures[index] === undefined ? event.id : new Unpacked('alone')))
  }
  const whole = batchHandler('pack', { ...options, on: 'pack.*', batch: { size, within: withinMs } }, body)
  return Object.freeze({
    ...whole,
    body: async (...[event, run]: Parameters<Handler['body']>) => {
      const at = { run: run.id, generation: run.generation, attempt: run.attempt, node }
      model.runs.entered(at, event)
      attempts.set(event.key, at)
      const result: unknown = await whole.body(event, run)
      model.steps.got(at, step, result)
      model.batches.got(event, result)
      return result
    },
  })
}

class Unpacked extends Error {
  override readonly name = 'Unpacked'
}
