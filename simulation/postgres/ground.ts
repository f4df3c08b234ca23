import { systemClock } from '../../src/kit/clock.ts'
import { systemRandom } from '../../src/kit/random.ts'
import { postgresStore } from '../../src/store/postgres/index.ts'
import type { Store } from '../../src/store/store.ts'
import type { Ground, MakeGround } from '../ground.ts'
import type { Overseer } from './overseer.ts'
import { virtualTimers } from './processes.ts'
import { SimulatedServer } from './server.ts'
import { PostgresWire, type ServerWeather } from './wire.ts'

let worlds = 0

/** A fresh schema on a real server, and the driver of each node above connections that break by the seed. */
export function postgresGround(overseer: Overseer): MakeGround {
  return async (world): Promise<Ground> => {
    const { plan, schedule, carrier, model } = world
    const schema = `simulated_${process.pid}_${++worlds}`
    await overseer.makeSchema(schema, plan.shards)
    const server = new SimulatedServer(overseer, schema, await overseer.shortenWaits(schema), schedule, () =>
      carrier.now(),
    )
    server.waits = (name) => {
      if (name === 'commit') model.watch.reach('a commit waited for another')
      if (name === 'grant') model.watch.reach('a grant waited for an open commit')
      model.watch.tell('server', `${name} waits for a lock`)
    }
    schedule.beside = server
    const giveBack = virtualTimers(schedule)
    const weather: ServerWeather = { refusesUntilMs: 0 }
    const wires: PostgresWire[] = []
    const looks: Store[] = []
    return {
      wire(index, node) {
        const wire = new PostgresWire(index, world, server, weather, node)
        wires.push(wire)
        return wire
      },
      strike(fault) {
        if (fault.kind !== 'store_down') return
        model.watch.reach('store down')
        weather.refusesUntilMs = schedule.nowMs + fault.ms
        for (const wire of wires) wire.endConnections()
      },
      heal() {
        weather.refusesUntilMs = 0
      },
      async look() {
        const options = { url: overseer.url, schema, clock: systemClock, random: systemRandom(), connections: 1 }
        const store = await postgresStore(options)
        looks.push(store)
        return store
      },
      read: (promise) => promise,
      async close() {
        giveBack()
        for (const store of looks) await store.close()
        await schedule.until(schedule.nowMs + 20_000)
        await overseer.dropSchema(schema)
      },
    }
  }
}
