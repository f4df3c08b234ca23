import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/http-client.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { check } from './checker/check.ts'
import { inLab, readBack, seed } from './lab.ts'
import { Senders } from './senders.ts'

/** Asks for many pages, and takes one byte of the answers at a time; resolves to a way to end it. */
function readSlowly(url: string): { readonly taken: () => number; readonly stop: () => void } {
  const pages = 200
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
  let taken = 0
  socket.on('error', () => undefined)
  socket.write('GET /v1/events?limit=200 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(pages))
  socket.on('readable', () => {
    // One byte a turn of the loop; what is left makes it readable no more, so it asks itself again.
    const take = () => {
      if (socket.read(1) === null) return
      taken++
      setTimeout(take, 1)
    }
    take()
  })
  return { taken: () => taken, stop: () => socket.destroy() }
}

test(`slow readers of /v1/events block nobody (seed ${seed})`, async () => {
  await inLab(async ({ receiver, serve, cleanUp }) => {
    const server = serve()
    const url = await server.url()
    const senders = new Senders(url, seededRandom(seed))
    senders.start(4)
    await expect.poll(() => senders.answered).toBeGreaterThan(300)
    const readers = Array.from({ length: 8 }, () => readSlowly(url))
    for (const reader of readers) cleanUp(reader.stop)
    await expect.poll(() => Math.min(...readers.map(({ taken }) => taken()))).toBeGreaterThan(10)
    const before = { answered: senders.answered, at: systemClock.monotonicMs() }
    let slowestMs = 0
    for (let turn = 0; turn < 50; turn++) {
      const began = systemClock.monotonicMs()
      await createClient({ url }).events.list({ limit: 1 })
      slowestMs = Math.max(slowestMs, systemClock.monotonicMs() - began)
    }
    await expect.poll(() => senders.answered).toBeGreaterThan(before.answered + 300)
    await senders.stop()
    const record = await readBack(url)
    expect(await check({ ledger: senders.ledger, effects: receiver.effects, record })).toEqual([])
    expect(slowestMs).toBeLessThan(5_000)
    console.log(`slow readers: the slowest of 50 other reads took ${slowestMs.toFixed(0)} ms`)
  })
})
