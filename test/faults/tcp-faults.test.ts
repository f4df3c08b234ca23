import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { check } from './checker/check.ts'
import type { Answered, Sent } from './checker/records.ts'
import { inLab, type Lab, readBack } from './lab.ts'
import { sign } from './senders.ts'
import { type Fault, TcpFaults } from './tcp-faults.ts'

const cutReply: Fault = { kind: 'cut', direction: 'reply', afterBytes: 20 }
const waitMs = 1_000

/** One request over a connection of its own; its answer, or undefined where none came. */
function ask(
  port: number,
  path: string,
  body: string,
  headers = {},
): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve) => {
    const asked = request({ port, host: '127.0.0.1', path, method: 'POST', agent: false, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.once('error', () => resolve(undefined))
    })
    asked.setTimeout(waitMs, () => asked.destroy())
    asked.once('error', () => resolve(undefined))
    asked.end(body)
  })
}

async function proxyTo({ cleanUp }: Lab, upstreamPort: number): Promise<{ faults: TcpFaults; port: number }> {
  const faults = new TcpFaults(upstreamPort)
  cleanUp(() => faults.stop())
  return { faults, port: await faults.start() }
}

test('the proxy does to each connection what its fault says', async () => {
  await inLab(async (lab) => {
    const seen: string[] = []
    const server = createServer((asked, response) => {
      asked.on('error', () => undefined).resume()
      asked.once('end', () => {
        seen.push(asked.url ?? '')
        response.end('heard')
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    lab.cleanUp(() => server.close())
    const address = server.address()
    const { faults, port } = await proxyTo(lab, typeof address === 'object' && address ? address.port : 0)
    faults.next(
      { kind: 'none' },
      cutReply,
      { kind: 'cut', direction: 'request', afterBytes: 20 },
      { kind: 'half_open' },
      { kind: 'black_hole' },
      { kind: 'delay', delayMs: 100 },
      { kind: 'replay' },
    )
    expect(await ask(port, '/none', '')).toMatchObject({ text: 'heard' })
    expect(await ask(port, '/reply', '')).toBeUndefined()
    expect(await ask(port, '/request', '')).toBeUndefined()
    expect(await ask(port, '/half', '')).toBeUndefined()
    expect(await ask(port, '/hole', '')).toBeUndefined()
    const began = systemClock.monotonicMs()
    expect(await ask(port, '/delay', '')).toMatchObject({ text: 'heard' })
    expect(systemClock.monotonicMs() - began).toBeGreaterThan(190)
    expect(await ask(port, '/replay', '', { connection: 'close' })).toMatchObject({ text: 'heard' })
    await faults.replayed()
    expect(seen).toEqual(['/none', '/reply', '/delay', '/replay', '/replay'])
    expect(faults.done).toBe(6)
  })
})

test('what is cut, held or replayed between a sender and the server is accepted once', async () => {
  await inLab(async (lab) => {
    const url = await lab.serve().url()
    const { faults, port } = await proxyTo(lab, Number(new URL(url).port))
    const ledger: (Sent | Answered)[] = []
    const each: readonly Fault[] = [
      cutReply,
      { kind: 'cut', direction: 'request', afterBytes: 100 },
      { kind: 'half_open' },
      { kind: 'black_hole' },
      { kind: 'delay', delayMs: 50 },
      { kind: 'replay' },
    ]
    const outcomes: Record<string, string> = {}
    for (const fault of each) {
      const direction = fault.kind === 'cut' ? `_${fault.direction}` : ''
      const id = `${fault.kind}${direction}`
      const body = JSON.stringify({ id, type: 'paid', amount: 1 })
      ledger.push({ id, tenant: 'acme', at: systemClock.monotonicMs() })
      faults.next(fault)
      for (let answer: Awaited<ReturnType<typeof ask>>; answer === undefined; ) {
        answer = await ask(port, '/in/acme', body, { ...sign(body), connection: 'close' })
        if (!answer) continue
        const { outcome, event }: { outcome: string; event: { key: string } } = JSON.parse(answer.text)
        outcomes[id] = outcome
        ledger.push({ answered: id, outcome, eventKey: event.key, at: systemClock.monotonicMs(), altered: false })
      }
    }
    await faults.replayed()
    expect(outcomes).toEqual({
      // Committed, and its answer was lost: the resend is told so.
      cut_reply: 'duplicate',
      cut_request: 'accepted',
      half_open: 'accepted',
      black_hole: 'accepted',
      delay: 'accepted',
      replay: 'accepted',
    })
    expect(faults.done).toBe(each.length)
    const record = await readBack(url)
    expect(record).toHaveLength(each.length)
    expect(await check({ ledger, effects: lab.receiver.effects, record })).toEqual([])
  })
})
