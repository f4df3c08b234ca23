import { expect, test } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { inLab, isLong, readBack } from './lab.ts'
import { post } from './senders.ts'

const backlog = isLong ? 200_000 : 20_000
const connections = 32
const narrow = ['--max-old-space-size=96']

test(`a backlog of ${backlog} events of 1 kB drains in 96 MB of heap`, async () => {
  await inLab(async ({ serve }) => {
    const door = serve({ node: narrow, args: ['--no-workers'] })
    const url = await door.url()
    const pad = 'x'.repeat(1_000)
    let next = 0
    const send = async () => {
      while (next < backlog) {
        const answer = await post(url, 'acme', { id: `event-${next++}`, type: 'counted', pad })
        await answer.arrayBuffer()
        if (!answer.ok) throw new Error(`answered ${answer.status}`)
      }
    }
    await Promise.all(Array.from({ length: connections }, send))
    await door.end('SIGTERM')
    const server = serve({ node: narrow })
    const began = systemClock.monotonicMs()
    const record = await readBack(await server.url())
    const completed = record.filter(({ status }) => status === 'completed').length
    const tookMs = systemClock.monotonicMs() - began
    expect({ completed, alive: server.alive, errors: server.errors }).toEqual({
      completed: backlog,
      alive: true,
      errors: '',
    })
    console.log(`memory: ${backlog} events drained in ${(tookMs / 1000).toFixed(1)} s in 96 MB`)
  })
})
