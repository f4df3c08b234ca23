import { once } from 'node:events'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { check } from './checker/check.ts'
import { inLab, readBack, seed } from './lab.ts'
import { Senders } from './senders.ts'

const short = { HAPAX_LEASE: '1200ms', HAPAX_BEAT: '300ms' }

test(`a server frozen past its lease changes nothing when it wakes (seed ${seed})`, async () => {
  await inLab(async ({ receiver, serve }) => {
    const frozen = serve({ environment: short })
    const other = serve({ environment: short })
    await frozen.url()
    const url = await other.url()
    const senders = new Senders(url, seededRandom(seed))
    senders.start(8)
    const { pid } = frozen.process
    await receiver.until((effects) => effects.filter((effect) => effect.pid === pid).length > 100)
    frozen.process.kill('SIGSTOP')
    const stopped = receiver.effects.length
    // What it had begun has begun again elsewhere: its lease is over, and its work is another's.
    await receiver.until((effects) => effects.slice(stopped).some(({ attempt, what }) => attempt > 1 && what === 'end'))
    const woken = receiver.effects.length
    frozen.process.kill('SIGCONT')
    await receiver.until((effects) =>
      effects.slice(woken).some((effect) => effect.pid === pid && effect.what === 'begin'),
    )
    await senders.stop()
    const record = await readBack(url)
    expect(await check({ ledger: senders.ledger, effects: receiver.effects, record })).toEqual([])
    expect(frozen.alive && other.alive).toBe(true)
    console.log(
      `frozen: ${record.length} events, ${receiver.effects.filter(({ attempt }) => attempt > 1).length} effects of later attempts`,
    )
  })
})

for (const { name, environment, mostMs } of [
  { name: 'as it comes', environment: {}, mostMs: 10_000 },
  { name: 'with a lease of 1.2 s', environment: short, mostMs: 2_000 },
]) {
  test(`runs of a killed server resume on a peer within ${mostMs} ms, ${name} (seed ${seed})`, async () => {
    await inLab(async ({ receiver, serve }) => {
      const killed = serve({ environment })
      const peer = serve({ environment })
      await killed.url()
      const url = await peer.url()
      const senders = new Senders(url, seededRandom(seed))
      senders.start(8)
      const { pid } = killed.process
      await receiver.until((effects) => effects.filter((effect) => effect.pid === pid).length > 200)
      const exited = once(killed.process, 'exit')
      killed.process.kill('SIGKILL')
      const at = systemClock.monotonicMs()
      await exited
      // What is measured is the takeover, not how long a growing backlog takes.
      const stopped = senders.stop()
      const before = receiver.effects.length
      const ended = new Set(receiver.effects.filter(({ what }) => what === 'end').map(({ id }) => id))
      const cut = new Set(receiver.effects.filter((one) => one.pid === pid && !ended.has(one.id)).map(({ id }) => id))
      expect(cut.size).toBeGreaterThan(0)
      await receiver.until((effects) => {
        for (const { id, what } of effects.slice(before)) if (what === 'begin') cut.delete(id)
        return cut.size === 0
      })
      const tookMs = systemClock.monotonicMs() - at
      console.log(`takeover ${name}: ${tookMs.toFixed(0)} ms`)
      await stopped
      const record = await readBack(url)
      expect(await check({ ledger: senders.ledger, effects: receiver.effects, record })).toEqual([])
      expect(tookMs).toBeLessThan(mostMs)
    })
  })
}

for (const hours of [-1, 1]) {
  test(`a server whose clock is wrong by ${hours} h loses nothing and repeats nothing (seed ${seed})`, async () => {
    await inLab(async ({ receiver, serve }) => {
      const skewed = `data:text/javascript,const now = Date.now; Date.now = () => now() + ${hours * 3_600_000}`
      const wrong = serve({ environment: short, node: ['--import', skewed] })
      const right = serve({ environment: short })
      const url = await wrong.url()
      await right.url()
      const senders = new Senders(url, seededRandom(seed))
      senders.start(4)
      await receiver.until((effects) => new Set(effects.map(({ pid }) => pid)).size === 2 && effects.length > 400)
      await right.end('SIGKILL')
      const killed = receiver.effects.length
      await receiver.until((effects) =>
        effects.slice(killed).some(({ attempt, what }) => attempt > 1 && what === 'end'),
      )
      await senders.stop()
      const record = await readBack(url)
      expect(await check({ ledger: senders.ledger, effects: receiver.effects, record })).toEqual([])
    })
  })
}
