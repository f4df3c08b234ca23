import { openSync, writeSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { PoolClient } from 'pg'
import { defineConfig, type HandlerEvent, handler, type Run } from '../../src/index.ts'
import { hmac } from '../../src/sources/index.ts'
import { lineOf } from './history.ts'
import { secret, steps } from './shared.ts'

/** The effects of every process, in one file, in one order: lines are appended whole, and outlive a kill. */
const effects = openSync(process.env.CRASH_EFFECTS ?? 'effects.log', 'a')

/** The table of a PostgreSQL database that handlers write into; on SQLite they make their own. */
const bookings = process.env.CRASH_BOOKING

const retry = { attempts: 100, min: '10ms', max: '100ms' } as const

/** Tells of a line that an attempt comes to, as an outside service would see it. */
const noting = (event: HandlerEvent, run: Run) => (what: string) =>
  writeSync(effects, lineOf({ id: event.id, attempt: run.attempt, pid: process.pid, what }))

async function inSteps(event: HandlerEvent, run: Run): Promise<void> {
  const note = noting(event, run)
  note('begin')
  for (const step of steps) {
    await run.step(step, async () => {
      note(step)
      // Gives a kill the chance to come between an effect and its checkpoint.
      await new Promise((resolve) => setImmediate(resolve))
      return step
    })
  }
  note('end')
}

export default defineConfig({
  // Short, so that a killed node's work is taken over within a second.
  lease: '1s',
  beat: '250ms',
  grace: '5s',
  sources: [
    hmac({
      name: 'shop',
      secret,
      header: 'x-signature',
      id: { body: 'id' },
      type: { body: 'type' },
      orderKey: ({ data }) => (typeof data.key === 'string' ? data.key : undefined),
    }),
  ],
  handlers: [
    handler('pay', { source: 'shop', on: 'paid', retry }, inSteps),
    handler('queue', { source: 'shop', on: 'queued', retry, order: true }, inSteps),
    handler('book', { source: 'shop', on: 'booked', retry, needs: ['transaction'] }, async (event, run) => {
      const note = noting(event, run)
      note('begin')
      if (bookings === undefined) {
        await run.transaction('book', (tx: DatabaseSync) => {
          tx.exec('create table if not exists booking (event text not null) strict')
          tx.prepare('insert into booking values (?)').run(event.id)
        })
      } else {
        await run.transaction('book', async (tx: PoolClient) => {
          await tx.query(`insert into ${bookings} values ($1)`, [event.id])
        })
      }
      note('end')
    }),
  ],
})
