import { once } from 'node:events'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { check } from './checker/check.ts'
import { freeze, inFlight, inLab, readBack, seed } from './lab.ts'
import { ledgerOf, Senders, sendersTo } from './senders.ts'

const short = { HAPAX_LEASE: '1200ms', HAPAX_BEAT: '300ms' }

/** Those of the first, which is gone, have no answer to wait for. */
async function stopBeside([gone, ...others]: readonly Senders[]): Promise<void> {
  await Promise.all([gone?.abandon(), ...others.map((each) => each.stop())])
}

test(`a server frozen past its lease changes nothing when it wakes (seed ${seed})`, async () => {
  await inLab(async ({ folder, receiver, serve }) => {
    const frozen = serve({ environment: short })
    const other = serve({ environment: short })
    const url = await other.url()
    const senders = sendersTo({ 'frozen-': await frozen.url(), 'other-': url }, seededRandom(seed))
    const { pid } = frozen.process
    await receiver.until((effects) => effects.filter((effect) => effect.pid === pid).length > 100)
    await freeze(frozen, `${folder}/hapax.db`, () => inFlight(receiver.effects, pid).size > 0)
    const cut = inFlight(receiver.effects, pid)
    expect(cut.size).toBeGreaterThan(0)
    // What it had begun begins again elsewhere: its lease is over, and its work is another's.
    await receiver.until((effects) =>
      effects.some((effect) => effect.pid !== pid && effect.what === 'end' && cut.has(effect.id)),
    )
    const woken = receiver.effects.length
    frozen.process.kill('SIGCONT')
    await receiver.until((effects) =>
      effects.slice(woken).some((effect) => effect.pid === pid && effect.what === 'begin'),
    )
    await Promise.all(senders.map((each) => each.stop()))
    const record = await readBack(url)
    expect(await check({ ledger: ledgerOf(senders), effects: receiver.effects, record })).toEqual([])
    expect(frozen.alive && other.alive).toBe(true)
    console.log(
      `frozen: ${record.length} events, ${receiver.effects.filter(({ attempt }) => attempt > 1).length} effects of later attempts`,
    )
  })
})

/** Kills a server in the middle of its runs; resolves to how long its peer took to begin each of them, in milliseconds. */
async function takeoverMs(environment: Readonly<Record<string, string>>): Promise<number> {
  return inLab(async ({ receiver, serve }) => {
    const killed = serve({ environment })
    const peer = serve({ environment })
    const url = await peer.url()
    const senders = new Senders(await killed.url(), seededRandom(seed))
    senders.start(8)
    const { pid } = killed.process
    await receiver.until(
      (effects) => effects.filter((effect) => effect.pid === pid).length > 200 && inFlight(effects, pid).size > 0,
    )
    const exited = once(killed.process, 'exit')
    killed.process.kill('SIGKILL')
    const at = systemClock.monotonicMs()
    await exited
    // What is measured is the takeover, not how long a growing backlog takes.
    const stopped = senders.abandon()
    const before = receiver.effects.length
    const cut = inFlight(receiver.effects, pid)
    expect(cut.size).toBeGreaterThan(0)
    await receiver.until((effects) => {
      for (const { id, what } of effects.slice(before)) if (what === 'begin') cut.delete(id)
      return cut.size === 0
    })
    const tookMs = systemClock.monotonicMs() - at
    await stopped
    const record = await readBack(url)
    expect(await check({ ledger: senders.ledger, effects: receiver.effects, record })).toEqual([])
    return tookMs
  })
}

for (const { name, environment, mostMs } of [
  { name: 'as it comes', environment: {}, mostMs: 10_000 },
  { name: 'with a lease of 1.2 s', environment: short, mostMs: 2_000 },
]) {
  test(`runs of a killed server resume on a peer within ${mostMs} ms, ${name} (seed ${seed})`, async () => {
    const tookMs = await takeoverMs(environment)
    console.log(`takeover ${name}: ${tookMs.toFixed(0)} ms`)
    expect(tookMs).toBeLessThan(mostMs)
  })
}

for (const hours of [-1, 1]) {
  test(`a server whose clock is wrong by ${hours} h loses nothing and repeats nothing (seed ${seed})`, async () => {
    await inLab(async ({ receiver, serve }) => {
      const skewed = `data:text/javascript,const now = Date.now; Date.now = () => now() + ${hours * 3_600_000}`
      const wrong = serve({ environment: short, node: ['--import', skewed] })
      const right = serve({ environment: short })
      const url = await wrong.url()
      const senders = sendersTo({ 'right-': await right.url(), 'wrong-': url }, seededRandom(seed))
      const { pid } = right.process
      await receiver.until(
        (effects) =>
          effects.some((effect) => effect.pid !== pid) && inFlight(effects, pid).size > 0 && effects.length > 400,
      )
      const cut = inFlight(receiver.effects, pid)
      await right.end('SIGKILL')
      expect(cut.size).toBeGreaterThan(0)
      // By the peer: what had left no checkpoint when its process was killed is begun anew, as its first attempt.
      await receiver.until((effects) =>
        effects.some((effect) => effect.pid !== pid && effect.what === 'end' && cut.has(effect.id)),
      )
      await stopBeside(senders)
      const record = await readBack(url)
      expect(await check({ ledger: ledgerOf(senders), effects: receiver.effects, record })).toEqual([])
    })
  })
}
