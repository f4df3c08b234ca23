import type pg from 'pg'
import { createHapax, handler } from '../../src/index.ts'
import { payload } from '../payload.ts'
import { sleepingType } from '../works/events.ts'

/** An event that the product accepted and ran: what the rows of the set are made after. */
export interface Template {
  readonly id: string
  readonly key: string
  /** Its body, before, between and after its id. */
  readonly bodyParts: readonly string[]
  /** Of a sleeping run, as they stand in its records: when it is due, and when it fell asleep. */
  readonly dueAt: number
  readonly sleptAt: number
}

export interface Templates {
  readonly finished: Template
  readonly sleeping: Template
}

const triesMost = 200

/**
 * Has the product accept and run one event of each kind, as its owner, in a store that it makes. What a row holds, and how
 * an identity or a fingerprint is made, is then read from these: where the product changes, so does the set.
 */
export async function templatesOf(url: string, client: pg.Client): Promise<Templates> {
  const settle = handler('settle-payment', { source: 'stripe', on: '*' }, async ({ type }, run) => {
    if (type === sleepingType) await run.sleep('until-it-is-due', '30d')
    return { ok: true }
  })
  const hapax = await createHapax({ store: url, migrate: 'auto', handlers: [settle] })
  await hapax.start()
  try {
    const finished = await handedOver(client, async (id) => {
      const receipt = await hapax.accept({ source: 'stripe', id, type: 'payment_intent.succeeded', data: payload(id) })
      await hapax.runs.result(receipt.runs[0]?.id ?? '')
    })
    const sleeping = await handedOver(client, async (id) => {
      await hapax.accept({ source: 'stripe', id, type: sleepingType, data: payload(id) })
      await until(
        client,
        'select exists (select from hapax.standing t join hapax.event e using (key) where e.id = $1)',
        id,
      )
    })
    return { finished, sleeping }
  } finally {
    await hapax.stop()
  }
}

/** The first that its owner took over in memory, as nearly all events of a node with handlers are: before, it owned nothing. */
async function handedOver(client: pg.Client, live: (id: string) => Promise<unknown>): Promise<Template> {
  for (let tries = 0; tries < triesMost; tries++) {
    const id = `template_${Date.now()}_${tries}`
    await live(id)
    const { rows } = await client.query<{ key: string; handed: boolean; body: string; due: string; slept: string }>(
      `select e.key, e.handed_epoch is not null as handed, convert_from(b.bytes, 'UTF8') as body,
        c.rest::jsonb ->> 'until' as due, c.rest::jsonb ->> 'startedAt' as slept
       from hapax.event e join hapax.body b using (key) left join hapax.checkpoint c using (key) where e.id = $1`,
      [id],
    )
    const [row] = rows
    if (row?.handed) {
      return { id, key: row.key, bodyParts: row.body.split(id), dueAt: Number(row.due), sleptAt: Number(row.slept) }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new TypeError('No event was handed over to its owner.')
}

async function until(client: pg.Client, question: string, id: string): Promise<void> {
  for (let tries = 0; tries < triesMost; tries++) {
    const { rows } = await client.query<{ exists: boolean }>(question, [id])
    if (rows[0]?.exists) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new TypeError(`Event ${id} does not stand.`)
}
