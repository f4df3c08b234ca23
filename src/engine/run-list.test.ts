import { describe, expect, it } from 'vitest'
import { Fatal } from '../event/outcome.ts'
import type { RunStatus } from '../event/run-status.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const event = (id: string, type = 'order.paid') => ({ source: 'shop', id, type })

describe('a list of runs', () => {
  it('says what executes in this process, page by page', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const world = await testWorld({
      handlers: [
        handler('slow', { source: 'shop', on: 'order.*' }, () => held),
        handler('other', { source: 'shop', on: 'order.late' }, () => held),
      ],
    })
    const { runs } = world.hapax
    const ids = ['1', '2', '3']
    for (const id of ids) await world.hapax.accept(event(id))
    await world.hapax.accept(event('4', 'order.late'))
    await world.until(async () => (await runs.list({ statuses: ['running'] })).runs.length === 5)
    const [one] = (await runs.list({ statuses: ['running'], handler: 'other' })).runs
    expect(one).toMatchObject({
      handler: 'other',
      group: 'default',
      identity: { tenant: 'default', source: 'shop', id: '4' },
      type: 'order.late',
      state: { status: 'running', generation: 1 },
    })
    expect((await runs.list({ statuses: ['running'], tenant: 'acme' })).runs).toEqual([])

    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await runs.list({ statuses: ['running'], limit: 2, ...(cursor !== undefined && { cursor }) })
      found.push(...page.runs.map(({ handler: name, identity }) => `${name} ${identity.id}`))
      cursor = page.next
    } while (cursor !== undefined)
    expect(found.sort()).toEqual(['other 4', 'slow 1', 'slow 2', 'slow 3', 'slow 4'])

    release()
    await world.until(async () => (await runs.list({ statuses: ['running'] })).runs.length === 0)
    expect((await runs.list({ statuses: ['completed'] })).runs).toHaveLength(5)
    await world.close()
  })

  it.each([
    [['ready'], 'ready are not indexed'],
    [['dead', 'ready'], 'list scheduled, waiting'],
    [['running', 'dead'], 'ask for it without other statuses'],
    // As JavaScript may give it.
    [['ded'] as unknown as RunStatus[], 'ded is no status'],
  ] satisfies [RunStatus[], string][])(
    'refuses %j, which it could only answer by an empty page',
    async (statuses, says) => {
      const dies = handler('dies', { source: 'shop', on: '*' }, () => {
        throw new Fatal('no')
      })
      const world = await testWorld({ handlers: [dies] })
      const asked = world.hapax.runs.list({ statuses })
      await expect(asked).rejects.toMatchObject({ code: 'invalid_query', message: expect.stringContaining(says) })
      await world.close()
    },
  )

  it('refuses a limit that is no number', async () => {
    const world = await testWorld({ handlers: [] })
    for (const asked of [world.hapax.runs.list({ limit: Number.NaN }), world.hapax.events.list({ limit: Number.NaN })])
      await expect(asked).rejects.toMatchObject({ code: 'invalid_query' })
    await world.close()
  })
})
