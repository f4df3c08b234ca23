import { type HandlerOptions, handler } from '../../src/engine/handler.ts'
import type { Receipt } from '../../src/event/receipt.ts'
import { dependency } from '../../src/flow/dependency.ts'
import type { Instant } from '../../src/kit/clock.ts'
import { type TestWorld, testWorld } from '../../src/testing/test-world.ts'
import { on, order } from './shop.ts'

/** A service that is up or down, and counts who calls when. */
export function service() {
  const calls: { readonly at: Instant; readonly id: string; readonly wasUp: boolean }[] = []
  return {
    calls,
    now: (): Instant => 0,
    isUp: true,
    /** How many are inside. */
    inside: 0,
    most: 0,
    async answer(id: string, takesMs: number, sleep: (ms: number) => Promise<void>) {
      calls.push({ at: this.now(), id, wasUp: this.isUp })
      this.inside++
      this.most = Math.max(this.most, this.inside)
      if (takesMs > 0) await sleep(takesMs)
      this.inside--
      if (!this.isUp) throw Object.assign(new Error('unavailable'), { status: 503 })
      return `${id} done`
    },
  }
}

export const quick = { failures: 3, within: '10s', cooldown: '5s' } as const

/** A world whose handler pays at a bank, and the bank. */
export async function shop(
  options: Parameters<typeof dependency>[1],
  more: {
    readonly takesMs?: number | ((id: number) => number)
    readonly handler?: HandlerOptions<unknown>
    readonly world?: object
  } = {},
) {
  const bank = dependency('bank', options)
  const there = service()
  let world: TestWorld | undefined
  const { takesMs = 0 } = more
  const takes = (id: string) => (typeof takesMs === 'number' ? takesMs : takesMs(Number(id)))
  const sleep = (ms: number) => new Promise<void>((resolve) => void world?.clock.setTimer(ms, resolve))
  const pay = handler('pay', { ...on, uses: [bank], ...more.handler }, (event, run) =>
    run.step('pay', () => bank.call(() => there.answer(event.id, takes(event.id), sleep))),
  )
  world = await testWorld({ handlers: [pay], shards: 1, ...more.world })
  const { clock } = world
  there.now = () => clock.now()
  return { world, there, bank, pay }
}

export async function accepted(
  world: TestWorld,
  count: number,
  from = 0,
  every: '0ms' | '100ms' = '0ms',
): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  for (let id = from; id < from + count; id++) {
    receipts.push(await world.hapax.accept(order(String(id))))
    if (every !== '0ms') await world.advance(every)
  }
  return receipts
}

/** The most calls within any span of so long. */
export function mostWithin(calls: readonly { readonly at: Instant }[], spanMs: number): number {
  let most = 0
  for (let from = 0, to = 0; to < calls.length; to++) {
    while ((calls[to]?.at ?? 0) - (calls[from]?.at ?? 0) >= spanMs) from++
    most = Math.max(most, to - from + 1)
  }
  return most
}

export const runOf = (receipt: Receipt | undefined) => receipt?.runs[0]?.id ?? ''
