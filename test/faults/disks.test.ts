import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { check } from './checker/check.ts'
import { inLab, isLong, readBack, seed } from './lab.ts'
import { makeDisk, mountMemory, unavailable } from './mounts.ts'
import { Senders } from './senders.ts'
import { probeSlowFsync, slowFsync } from './slow-fsync.ts'

const megabyte = 1024 * 1024
const short = { HAPAX_LEASE: '1200ms', HAPAX_BEAT: '300ms' }
const cuts = isLong ? 50 : 4
const lifeMs = 1_500

const noMemory = await unavailable(() => inLab(async (lab) => mountMemory(lab, megabyte)))
const noDisk = await unavailable(() => inLab(async (lab) => makeDisk(lab, 16 * megabyte).cut()))
const noSlowness = await unavailable(async () => probeSlowFsync())
if (noMemory) console.log(`unavailable: disk full: ${noMemory}`)
if (noDisk) console.log(`unavailable: power cut: ${noDisk}`)
if (noSlowness) console.log(`unavailable: slow fsync: ${noSlowness}`)

test.skipIf(noMemory)(`a full disk refuses, loses nothing and goes on when there is room (seed ${seed})`, async () => {
  await inLab(async (lab) => {
    const place = mountMemory(lab, 24 * megabyte)
    const ballast = join(place, 'ballast')
    const server = lab.serve({ store: `sqlite:${place}/hapax.db` })
    const url = await server.url()
    const senders = new Senders(url, seededRandom(seed))
    senders.start(6)
    await lab.receiver.until((effects) => effects.length > 100)
    expect(() => writeFileSync(ballast, new Uint8Array(32 * megabyte))).toThrow('ENOSPC')
    await expect.poll(() => senders.refusals.length).toBeGreaterThan(20)
    expect(
      senders.refusals.find(({ retryAfter, code }) => !retryAfter || !/^store_/.test(String(code))),
    ).toBeUndefined()
    const answered = senders.answered
    rmSync(ballast)
    await expect.poll(() => senders.answered).toBeGreaterThan(answered + 100)
    await senders.stop()
    const record = await readBack(url)
    expect(await check({ ledger: senders.ledger, effects: lab.receiver.effects, record })).toEqual([])
    expect(server.alive).toBe(true)
    console.log(
      `disk full: ${senders.refusals.length} refusals (${senders.refusals[0]?.code}), ${record.length} events`,
    )
  })
})

test.skipIf(noDisk)(`${cuts} power cuts lose nothing that was acknowledged (seed ${seed})`, async () => {
  await inLab(async (lab) => {
    const random = seededRandom(seed)
    const disk = makeDisk(lab, 128 * megabyte)
    const ledger: Senders['ledger'] = []
    let acknowledged = 0
    for (let cut = 0; cut <= cuts; cut++) {
      const server = lab.serve({ store: `sqlite:${disk.place}/hapax.db`, environment: short })
      const url = await server.url()
      const senders = new Senders(url, random, `cut-${cut}-`)
      senders.start(8)
      await expect.poll(() => senders.answered).toBeGreaterThan(50)
      if (cut === cuts) {
        await senders.stop()
        ledger.push(...senders.ledger)
        const record = await readBack(url)
        const found = await check({ ledger, effects: lab.receiver.effects, record })
        expect(found).toEqual([])
        console.log(`power cuts: ${cuts}, ${acknowledged} acknowledged before one, ${record.length} events on record`)
        return
      }
      await sleep(systemClock, random.fraction() * lifeMs)
      // Frozen, it can answer nobody after the cut by what it did not know to be on the device.
      server.process.kill('SIGSTOP')
      const unsynced = join(disk.place, `unsynced-${cut}`)
      writeFileSync(unsynced, 'not on the device')
      disk.cut()
      await server.end()
      await senders.abandon()
      ledger.push(...senders.ledger)
      acknowledged += senders.answered
      disk.unmount()
      disk.mount()
      // The cut is one: what nobody synced is gone.
      expect(existsSync(unsynced) && readFileSync(unsynced, 'utf8')).not.toBe('not on the device')
    }
  })
})

test.skipIf(noSlowness)(
  `receipts wait for a slow fsync and share it, and a kill loses none of them (seed ${seed})`,
  async () => {
    await inLab(async (lab) => {
      const store = { store: `sqlite:${lab.folder}/hapax.db` }
      const server = lab.serve(store)
      const url = await server.url()
      const fsyncMs = 300
      await slowFsync(lab, server.process, fsyncMs)
      const began = systemClock.monotonicMs()
      const senders = new Senders(url, seededRandom(seed), 'slow-')
      senders.start(16)
      await expect.poll(() => senders.answered, { timeout: 60_000 }).toBeGreaterThan(100)
      const fsyncs = (systemClock.monotonicMs() - began) / fsyncMs
      expect(senders.answered).toBeGreaterThan(2 * fsyncs)
      expect(quickestMs(senders)).toBeGreaterThan(0.9 * fsyncMs)
      await server.end()
      await senders.abandon()
      const again = await lab.serve(store).url()
      const record = await readBack(again)
      expect(await check({ ledger: senders.ledger, effects: lab.receiver.effects, record })).toEqual([])
      console.log(
        `slow fsync: ${senders.answered} answers within ${fsyncs.toFixed(0)} fsyncs, ${record.length} events on record`,
      )
    })
  },
)

/** The least time in which an event was accepted. */
function quickestMs({ ledger }: Senders): number {
  const sent = new Map(ledger.flatMap((line) => ('answered' in line ? [] : [[line.id, line.at]])))
  const took = ledger.flatMap((line) =>
    'answered' in line && line.outcome === 'accepted' ? [line.at - (sent.get(line.answered) ?? line.at)] : [],
  )
  return Math.min(...took)
}
