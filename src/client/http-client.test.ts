import { describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { createClient } from './http-client.ts'

const id = '01KADJ2F7B000000000000000Z-0123456a'

/** A client whose server shows the run so. */
function showing(run: object) {
  const clock = new FakeClock()
  return { clock, client: createClient({ clock, fetch: async () => Response.json({ id, ...run }) }) }
}

describe('a result over HTTP', () => {
  it('is what the handler returned, and the library’s own errors', async () => {
    const completed = showing({
      status: 'completed',
      state: { status: 'completed', result: '{"total":5}' },
    })
    expect(await completed.client.runs.result(id)).toEqual({ total: 5 })
    const error = { code: 'Fatal', message: 'no such account' }
    const dead = showing({ status: 'dead', state: { status: 'dead', reason: 'fatal', error } })
    await expect(dead.client.runs.result(id)).rejects.toMatchObject({
      code: 'run_ended',
      details: { status: 'dead', reason: 'no such account' },
    })
    const cancelled = showing({ status: 'cancelled', state: { status: 'cancelled', reason: 'cancel' } })
    await expect(cancelled.client.runs.result(id)).rejects.toMatchObject({
      code: 'run_ended',
      details: { status: 'cancelled', reason: 'cancel' },
    })
  })

  it('of a run that goes on is run_unfinished after the timeout', async () => {
    const { clock, client } = showing({ status: 'waiting', state: { status: 'waiting' } })
    const result = expect(client.runs.result(id, { timeout: '1s' })).rejects.toMatchObject({
      code: 'run_unfinished',
      details: { status: 'waiting' },
    })
    await clock.advance('2s')
    await result
  })
})
