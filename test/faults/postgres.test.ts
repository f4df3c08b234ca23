import pg from 'pg'
import { expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { type PostgresServer, startPostgres } from '../support/services/postgres.ts'
import { check } from './checker/check.ts'
import { inFlight, inLab, type Lab, readBack, seed } from './lab.ts'
import { ledgerOf, post, Senders, sendersTo } from './senders.ts'
import { TcpFaults } from './tcp-faults.ts'

const environment = { HAPAX_LEASE: '1200ms', HAPAX_BEAT: '300ms', HAPAX_MIGRATE: 'auto' }

/** A server with fsync on, of the scenario alone: it is crashed, and its settings are changed. */
async function database({ cleanUp }: Lab): Promise<PostgresServer> {
  const server = await startPostgres({ from: 'registry', always: true })
  cleanUp(() => server.stop())
  return server
}

async function asked(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(text)
  await client.end()
}

/** Flushes that hold their fence, and wait for what their client has not sent. */
async function openFlushes(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ count: string }>(`
    select count(distinct l.pid) from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.mode = 'ShareLock' and l.granted and a.wait_event = 'ClientRead'`)
  await client.end()
  return Number(rows[0]?.count)
}

test(`a database server that crashes and comes back has all that was acknowledged (seed ${seed})`, async () => {
  await inLab(async (lab) => {
    const server = await database(lab)
    const node = lab.serve({ store: server.url, environment })
    const url = await node.url()
    const senders = new Senders(url, seededRandom(seed))
    senders.start(8)
    for (let crash = 1; crash <= 3; crash++) {
      const answered = senders.answered
      await expect.poll(() => senders.answered).toBeGreaterThan(answered + 100)
      const refused = senders.refusals.length
      await server.crash()
      await expect.poll(() => senders.refusals.length).toBeGreaterThan(refused + 10)
      await server.restart()
    }
    const answered = senders.answered
    await expect.poll(() => senders.answered).toBeGreaterThan(answered + 100)
    await senders.stop()
    const record = await readBack(url)
    expect(await check({ ledger: senders.ledger, effects: lab.receiver.effects, record })).toEqual([])
    const strange = senders.refusals.find(({ retryAfter, code }) => !retryAfter || !/^store_/.test(String(code)))
    expect(strange).toBeUndefined()
    expect(node.alive).toBe(true)
    console.log(`database crashed 3 times: ${record.length} events, ${senders.refusals.length} refusals`)
  })
})

test(`connections that are ended in the middle of their commits lose nothing and repeat nothing (seed ${seed})`, async () => {
  await inLab(async (lab) => {
    const server = await database(lab)
    const node = lab.serve({ store: server.url, environment })
    const url = await node.url()
    const senders = new Senders(url, seededRandom(seed))
    senders.start(8)
    let ended = 0
    while (ended < 60) {
      const answered = senders.answered
      await expect.poll(() => senders.answered, { interval: 5 }).toBeGreaterThan(answered + 20)
      await asked(server.url, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hapax'`)
      ended += 4
    }
    await senders.stop()
    const record = await readBack(url)
    expect(await check({ ledger: senders.ledger, effects: lab.receiver.effects, record })).toEqual([])
    expect(node.alive).toBe(true)
    console.log(`connections ended: ${record.length} events, ${senders.refusals.length} refusals`)
  })
})

test(`a node that the network cuts off in silence is fenced, and works again when it is back (seed ${seed})`, async () => {
  await inLab(async (lab) => {
    const server = await database(lab)
    const faults = new TcpFaults(Number(new URL(server.url).port))
    lab.cleanUp(() => faults.stop())
    const through = new URL(server.url)
    through.port = String(await faults.start())
    const peer = lab.serve({ store: server.url, environment })
    const peerUrl = await peer.url()
    const node = lab.serve({ store: String(through), environment })
    const url = await node.url()
    const senders = sendersTo({ 'cut-': url, 'peer-': peerUrl }, seededRandom(seed))
    const { pid } = node.process
    const { receiver } = lab
    await receiver.until((effects) => effects.filter((effect) => effect.pid === pid).length > 100)
    faults.silence()
    const silent = receiver.effects.length
    // Its shards are its peer's once its lease is over: events of one order key are of one shard, whoever took them.
    await receiver.until((effects) => effects.slice(silent).filter((effect) => effect.pid !== pid).length > 500)
    const fenced = receiver.effects.length
    await sleep(systemClock, 2_000)
    expect(receiver.effects.slice(fenced).filter((effect) => effect.pid === pid)).toEqual([])
    faults.heal()
    const healed = receiver.effects.length
    await receiver.until((effects) => effects.slice(healed).some((effect) => effect.pid === pid))
    await Promise.all(senders.map((each) => each.stop()))
    const record = await readBack(peerUrl)
    const ledger = ledgerOf(senders)
    expect(await check({ ledger, effects: receiver.effects, record })).toEqual([])
    expect(node.alive && peer.alive).toBe(true)
    console.log(`cut off in silence: ${record.length} events`)
  })
})

test(`a node frozen in the middle of a flush is taken over within 10 s, and changes nothing when it wakes (seed ${seed})`, async () => {
  await inLab(async (lab) => {
    const server = await database(lab)
    const faults = new TcpFaults(Number(new URL(server.url).port))
    lab.cleanUp(() => faults.stop())
    const through = new URL(server.url)
    through.port = String(await faults.start())
    // Lease and beat are the defaults, which the ten seconds are meant for.
    const node = lab.serve({ store: String(through), environment: { HAPAX_MIGRATE: 'auto' } })
    const url = await node.url()
    const peer = lab.serve({ store: server.url, environment: { HAPAX_MIGRATE: 'auto' } })
    const peerUrl = await peer.url()
    const senders = sendersTo({ 'frozen-': url, 'peer-': peerUrl }, seededRandom(seed))
    const { pid } = node.process
    const { receiver } = lab
    await receiver.until((effects) => effects.filter((effect) => effect.pid === pid).length > 100)
    // The rest of a flush never comes: at the server it has passed the fence, holds its locks, and is not committed.
    faults.holdEnds()
    await expect.poll(() => openFlushes(server.url), { interval: 5 }).toBeGreaterThan(0)
    node.process.kill('SIGSTOP')
    const frozenAt = systemClock.monotonicMs()
    const cut = inFlight(receiver.effects, pid)
    expect(cut.size).toBeGreaterThan(0)
    // Its runs are suspects now, and go alone, one after the other: the first of them shows that its shards are the peer's.
    const isTakenOver = () =>
      receiver.effects.some((effect) => effect.pid !== pid && effect.what === 'end' && cut.has(effect.id))
    await expect.poll(isTakenOver, { timeout: 10_000, interval: 20 }).toBe(true)
    const takenOverMs = systemClock.monotonicMs() - frozenAt
    const woken = receiver.effects.length
    node.process.kill('SIGCONT')
    faults.releaseEnds()
    await receiver.until((effects) =>
      effects.slice(woken).some((effect) => effect.pid === pid && effect.what === 'begin'),
    )
    await Promise.all(senders.map((each) => each.stop()))
    const record = await readBack(peerUrl)
    const ledger = ledgerOf(senders)
    expect(await check({ ledger, effects: receiver.effects, record })).toEqual([])
    expect(node.alive && peer.alive).toBe(true)
    console.log(
      `frozen in a flush: ${cut.size} runs taken over after ${Math.round(takenOverMs)} ms, ${record.length} events`,
    )
  })
})

test('a commit whose wait for a standby was cancelled has no receipt, and the same asked again has one', async () => {
  await inLab(async (lab) => {
    const server = await database(lab)
    const url = await lab.serve({ store: server.url, environment }).url()
    const set = (value: string) =>
      asked(server.url, `alter system set synchronous_standby_names = '${value}'`).then(() =>
        asked(server.url, 'select pg_reload_conf()'),
      )
    const event = { id: 'order 1', type: 'counted', amount: 1 }
    await set('nobody')
    const answer = post(url, 'acme', event)
    const cancelled = `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`
    const until = setInterval(() => void asked(server.url, cancelled).catch(() => undefined), 100)
    const refused = await answer
    clearInterval(until)
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ code: 'store_unavailable' })
    await set('')
    await expect
      .poll(async () => {
        const again = await post(url, 'acme', event)
        return again.status
      })
      .toBe(200)
  })
})
