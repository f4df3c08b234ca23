import { memoryWorld } from '../src/store/memory/index.ts'
import type { Commit, CommitResult, Store } from '../src/store/store.ts'
import type { Ground, GroundWorld } from './ground.ts'
import { SimulatedWire, type Weather } from './wire.ts'

/** The memory store, with every fault at the seam of the store. */
export function memoryGround(world: GroundWorld): Ground {
  const { plan, schedule, carrier } = world
  const memory = memoryWorld({ clock: carrier, shards: plan.shards, acceptSpans: plan.acceptSpans })
  const weather: Weather = { storeDownUntilMs: 0, storeFullUntilMs: 0 }
  const look = () => (plan.acceptSpans ? memory.connect() : acceptsApart(memory.connect()))
  return {
    wire: (index, node) => new SimulatedWire(index, { ...world, weather, connect: look }, node),
    strike(fault) {
      if (fault.kind === 'store_down') weather.storeDownUntilMs = schedule.nowMs + fault.ms
      if (fault.kind === 'store_full') weather.storeFullUntilMs = schedule.nowMs + fault.ms
    },
    heal() {
      weather.storeDownUntilMs = 0
      weather.storeFullUntilMs = 0
    },
    look,
    async read(promise) {
      let settled = false
      const watched = promise.finally(() => {
        settled = true
      })
      await schedule.until(schedule.nowMs + 1_000, () => settled)
      return watched
    },
    close: () => Promise.resolve(),
  }
}

/**
 * Where the shard learns of events later, a commit's answer waits for that, and its decisions would be heard of late: they
 * go in a commit of their own, in the same moment.
 */
function acceptsApart(store: Store): Store {
  const commit = async (batch: Commit): Promise<CommitResult> => {
    const { accept = [], ...decisions } = batch
    if (accept.length === 0) return store.commit(batch)
    const [accepted, decided] = await Promise.all([store.commit({ accept }), store.commit(decisions)])
    return { ...decided, accept: accepted.accept }
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') return commit
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
