import { performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { createHapax, handler } from '../../src/index.ts'
import { atRate, latencyFigures, latencyRate, perSecond, type Side } from '../measure.ts'
import { body } from '../payload.ts'
import { event, idsOf } from './events.ts'

const idleMs = 2_000

/** From the call of accept to the handler's first line, and to the durable completion. */
export const latencyHapax: Side = async ({ file, count }) => {
  const called = new Map<string, number>()
  const begun: number[] = []
  const done: number[] = []
  const settle = handler('settle-payment', { source: 'stripe', on: '*' }, ({ id }) => {
    begun.push(performance.now() - (called.get(id) ?? Number.NaN))
    return { ok: true }
  })
  const hapax = await createHapax({ store: `sqlite:${file}`, handlers: [settle] })
  await hapax.start()
  const ids = idsOf(count)
  await atRate(count, latencyRate, async (index) => {
    const id = ids[index] ?? ''
    const subject = event(id)
    const at = performance.now()
    called.set(id, at)
    const receipt = await hapax.accept(subject)
    await hapax.runs.result(receipt.runs[0]?.id ?? '')
    done.push(performance.now() - at)
  })
  await hapax.stop()
  return latencyFigures(begun, done)
}

/** One lone commit by hand through a worker, and two of them. */
export const latencyLimit: Side = async ({ file, count }) => {
  const worker = new Worker(new URL('../limit/commit-worker.ts', import.meta.url), { workerData: file })
  const waiting: ((position: number) => void)[] = []
  worker.on('message', (position: number) => waiting.shift()?.(position))
  const commit = (message: object) =>
    new Promise<number>((resolve) => {
      waiting.push(resolve)
      worker.postMessage(message)
    })
  const one: number[] = []
  const two: number[] = []
  const ids = idsOf(count)
  await atRate(count, latencyRate, async (index) => {
    const id = ids[index] ?? ''
    const bytes = body(id)
    const at = performance.now()
    const position = await commit({ id, bytes })
    one.push(performance.now() - at)
    await commit({ settle: position })
    two.push(performance.now() - at)
  })
  await worker.terminate()
  return latencyFigures(one, two)
}

/** An event loop with nothing to do, for as long. */
export const idle: Side = ({ count }) => perSecond(count, () => new Promise((resolve) => setTimeout(resolve, idleMs)))
