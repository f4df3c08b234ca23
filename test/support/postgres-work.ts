import { systemRandom } from '../../src/kit/random.ts'
import type { AcceptItem, CheckpointItem, Owned, Store } from '../../src/store/store.ts'
import { acceptItem } from './accept-item.ts'
import { nodeBeat } from './node-beat.ts'

export const random = systemRandom()

let ids = 0

/** An accept of an identity of its own, in texts and bytes that a statement put together by hand would spoil. */
export function item(over: Partial<AcceptItem> = {}): AcceptItem {
  return acceptItem({
    shard: 1,
    id: `it's \\ order ${++ids} \${1} $1 ?`,
    headers: { 'x-note': `back\\slash 'quote' ünï :name $1 ?` },
    body: Buffer.from([0, 39, 92, 255]),
    ...over,
  })
}

/** Registers a handler of everything, and takes all shards. */
export async function ownAll(store: Store): Promise<readonly Owned[]> {
  await store.register('g', 'n1', [{ name: 'h', formerly: [], sources: ['*'], types: ['*'] }])
  return (await store.own(nodeBeat())).owned
}

/** A transaction's step of an event that was accepted just now. */
export async function begun(store: Store, owned: readonly Owned[]): Promise<Omit<CheckpointItem, 'value'>> {
  const one = item()
  await store.commit({ accept: [one] })
  const event = await store.event(one.key)
  const pair = owned.find(({ shard }) => shard === one.shard)
  if (!event || !pair) throw new Error('not accepted')
  return {
    owned: pair,
    run: { event: event.key, position: event.position, tag: 'tag' },
    generation: 1,
    attempt: 1,
    step: { kind: 'transaction', name: 'book', of: '' },
    startedAt: 1,
    endedAt: 2,
    firstTriedAt: 1,
  }
}
