import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { handler, type Run } from '../engine/handler.ts'
import { crashEverywhere } from './crash-everywhere.ts'

const event = { source: 'shop', id: '1', type: 'order.paid', data: { total: 5 } }
const on = { source: 'shop', on: 'order.*', retry: { jitter: 'none' } } as const

describe('crashEverywhere', () => {
  it('shows that a plain step may repeat, and that its run always ends', async () => {
    const plain = handler('plain', on, async (_event, run) => {
      await run.step('charge', () => 'c1')
      await run.step('book', () => 'b1')
    })
    const report = await crashEverywhere(plain, event)
    expect(report.outcomes.length).toBeGreaterThanOrEqual(6)
    expect(report.repeats).toEqual(['book', 'charge'])
    expect(report.lost).toEqual([])
    expect(report.outcomes.every((outcome) => outcome.status === 'completed')).toBe(true)
  })

  it('shows that a step marked once never repeats: where it is in doubt, a person decides', async () => {
    const once = handler('once', on, (_event, run) => run.step('mail', { once: true, run: () => 'sent' }))
    const report = await crashEverywhere(once, event)
    expect(report.repeats).toEqual([])
    expect(new Set(report.outcomes.map((outcome) => outcome.status))).toEqual(new Set(['completed', 'unknown']))
  })

  it('shows that a confirmed step has its effect once', async () => {
    let sent = new Set<string>()
    const confirmed = handler('confirmed', on, (_event, run) =>
      run.step('pay', {
        run: (key) => {
          sent.add(key)
          return 'paid'
        },
        confirm: (key) => (sent.has(key) ? { result: 'paid' } : 'absent'),
      }),
    )
    sent = new Set()
    const report = await crashEverywhere(confirmed, event)
    expect(report.lost).toEqual([])
    expect(report.outcomes.every((outcome) => outcome.status === 'completed')).toBe(true)
  })

  it('sends what a run waits for, one after the other, and the same again after a crash', async () => {
    const got: unknown[] = []
    const waits = handler('waits', on, async (_event, run) => {
      got.push(await run.waitFor('approved'))
      await run.step('pay', { once: true, run: () => 'paid' })
      got.push(await run.waitFor('shipped', { timeout: '30d' }))
    })
    const report = await crashEverywhere(waits, event, {
      signals: [{ name: 'approved', payload: { by: 'ann' } }, { name: 'shipped' }],
    })
    expect(report.lost).toEqual([])
    expect(report.repeats).toEqual([])
    expect(new Set(report.outcomes.map((outcome) => outcome.status))).toEqual(new Set(['completed', 'unknown']))
    expect(new Set(got.map((payload) => JSON.stringify(payload)))).toEqual(new Set(['{"by":"ann"}', 'null']))
  })

  it('says which signal a run waits for, where none is given', async () => {
    const waits = handler('waits', on, (_event, run) => run.waitFor('approved'))
    await expect(crashEverywhere(waits, event)).rejects.toMatchObject({
      code: 'run_unfinished',
      message: expect.stringContaining('waiting for approved: give it in signals'),
    })
  })

  it('runs transactions on the caller’s database: effect and checkpoint exactly once (G4)', async () => {
    const ledgers: DatabaseSync[] = []
    const books = handler('books', { ...on, needs: ['transaction'] }, async (_event, run) => {
      await run.step('charge', () => 'c1')
      await run.transaction('ledger', (transaction) => {
        transaction.prepare('insert into ledger values (?)').run('c1')
      })
      await run.transaction('audit', (transaction) => {
        transaction.prepare('insert into ledger values (?)').run('audited')
      })
    })
    const report = await crashEverywhere(books, event, {
      database: () => {
        const database = new DatabaseSync(':memory:')
        database.exec('create table ledger (entry text)')
        ledgers.push(database)
        return database
      },
    })
    expect(report.lost).toEqual([])
    expect(report.repeats).toEqual(['charge'])
    expect(ledgers).toHaveLength(report.outcomes.length + 1)
    for (const ledger of ledgers) {
      expect(ledger.prepare('select entry from ledger').all()).toEqual([{ entry: 'c1' }, { entry: 'audited' }])
      ledger.close()
    }
  })

  it('says what it needs for a handler with transactions, whether that says so or not', async () => {
    const body = (_event: unknown, run: Run) => run.transaction('ledger', () => 1)
    for (const needs of [['transaction'], []] as const) {
      await expect(crashEverywhere(handler('books', { ...on, needs }, body), event)).rejects.toMatchObject({
        code: 'config_invalid',
        message: expect.stringContaining('give database'),
      })
    }
  })
})
