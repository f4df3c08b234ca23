import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** What one side of one pair measured: figures by name; `rate` is per second, the others say their unit. */
export type Measured = Readonly<Record<string, number>>

/** How much work a side does, and where it may keep its file. */
export interface SideOptions {
  readonly file: string
  /** Events. */
  readonly count: number
}

/** One side of a row: runs in a process of its own. */
export type Side = (options: SideOptions) => Promise<Measured>

/** Who accepts at once, each awaiting its receipt. */
export const producers = 64
/** Runs at once, on both sides. */
export const slots = 1_000
/** Commits by hand are of this many. */
export const group = 64

/** Of the latency rows, events a second. */
export const latencyRate = 200

/** Runs `work` for `count` items by 64 producers, each awaiting its answer before its next. */
export async function produce(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const producer = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: producers }, producer))
}

/** Events per second of `work`, with the event loop's delay and the process's memory. */
export async function perSecond(count: number, work: () => Promise<unknown>): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1_000
  delay.disable()
  return { rate: count / seconds, loopDelayP99Ms: delay.percentile(99) / 1e6, rssMb: process.memoryUsage().rss / 1e6 }
}

/** The p-th percentile of these. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN
}

/** Calls `work` so often a second, whether the last has ended or not, and waits for all. */
export async function atRate(
  count: number,
  perSecond: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  const began = performance.now()
  const all: Promise<unknown>[] = []
  while (all.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - began) * perSecond) / 1_000) + 1)
    while (all.length < due) all.push(work(all.length))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(all)
}

/** What the latency rows say; the first tenth warms up. */
export function latencyFigures(begun: readonly number[], done: readonly number[]): Measured {
  const warm = (values: readonly number[]) => values.slice(values.length / 10)
  return {
    beginP50Ms: percentile(warm(begun), 50),
    beginP99Ms: percentile(warm(begun), 99),
    doneP50Ms: percentile(warm(done), 50),
    doneP99Ms: percentile(warm(done), 99),
  }
}
