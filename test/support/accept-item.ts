import { mintEventKey } from '../../src/event/event-key.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { systemRandom } from '../../src/kit/random.ts'
import type { AcceptItem } from '../../src/store/store.ts'

const random = systemRandom()

/** An accept as the engine makes it, of an identity of its own; what a test is about is given. */
export function acceptItem(over: Partial<AcceptItem> = {}): AcceptItem {
  const shard = over.shard ?? 0
  const key = over.key ?? mintEventKey(systemClock.now(), shard, random)
  return {
    key,
    shard,
    tenant: 'default',
    source: 'shop',
    id: key,
    idSigned: true,
    type: 'order.paid',
    subject: undefined,
    time: undefined,
    contentType: 'application/json',
    orderKey: undefined,
    registryVersion: 1,
    headers: {},
    fingerprints: [{ keyId: 1, hash: 'content' }],
    body: Buffer.from('{}'),
    unclaimed: false,
    ...over,
  }
}
