import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { violationsOf } from './check-history.ts'
import { crashStores } from './crash-stores.ts'
import { effectsOf, type Kill } from './history.ts'
import { freePort, Node } from './nodes.ts'
import { readRecord } from './read-record.ts'
import { Senders } from './senders.ts'

const long = Boolean(process.env.HAPAX_TEST_LONG)

/** Which node is killed, and when: the instants are the machine's, the choices replay from here. */
const seed = Number.parseInt(process.env.HAPAX_TEST_SEED ?? '', 10) || systemClock.now() % 1_000_000

/** The longest that a node lives once it is ready, and the part of kills that come before it is. */
const lifeMs = long ? 3_000 : 900
const early = 0.15

/** Progress of a long run, in kills; and how long it may take. */
const tellEvery = 100
const longMs = 10_800_000

test.for(crashStores)(
  `kill -9 at random instants under load loses nothing and does nothing twice on $name (seed ${seed})`,
  long ? { timeout: longMs } : {},
  async (kind) => {
    const killsWanted = long ? 1_000 : kind.kills
    const events = long ? 1_000_000 : kind.events
    const folder = mkdtempSync(join(tmpdir(), 'hapax-crash-'))
    const random = seededRandom(seed)
    const port = await freePort()
    const store = await kind.make(folder)
    const server = new Node(folder, store, ['--port', String(port)])
    const worker = new Node(folder, store, ['--no-server'])
    const url = `http://127.0.0.1:${port}`
    const senders = new Senders({ url, random: seededRandom(seed + 1), serverIsReady: () => server.ready })
    const kills: Kill[] = []
    try {
      await server.start()
      await worker.start()
      senders.start()
      for (let killed = 0; killed < killsWanted || senders.answered < events; killed++) {
        const node = random.fraction() < 0.6 ? server : worker
        if (random.fraction() >= early) await node.ready
        await sleep(systemClock, random.fraction() * lifeMs)
        kills.push({ pid: node.pid, at: systemClock.monotonicMs() })
        await node.end('SIGKILL')
        void node.start()
        if (long && killed % tellEvery === 0) console.info(`… ${killed} kills, ${senders.answered} events answered`)
      }
      await Promise.all([server.ready, worker.ready])
      await senders.stop()
      const record = await readRecord(url, store)
      const effects = effectsOf(readFileSync(join(folder, 'effects.log'), 'utf8'))
      if (long) console.info(`… ${kills.length} kills, ${senders.sent.length} events sent, ${effects.length} effects`)
      expect(violationsOf({ sent: senders.sent, effects, kills, record }).slice(0, 20)).toEqual([])
      // Not passed in emptiness: kills did come in the middle of runs, and between an accept and its answer.
      expect(senders.sent.length).toBeGreaterThanOrEqual(events)
      expect(effects.filter(({ attempt, what }) => attempt > 1 && what === 'end').length).toBeGreaterThan(killsWanted)
      expect(senders.sent.filter(({ answers }) => answers[0]?.outcome === 'duplicate').length).toBeGreaterThan(0)
      // After a failure all that was written stays there, to be looked at.
      rmSync(folder, { recursive: true, force: true })
    } finally {
      await Promise.all([server.end('SIGKILL'), worker.end('SIGKILL')])
      await store.remove()
    }
  },
)
