import type { PoolClient } from 'pg'
import { HapaxError } from '../../errors/hapax-error.ts'
import { stepText } from '../../event/run.ts'
import type { Random } from '../../kit/random.ts'
import { checkpointRest } from '../sql/rest.ts'
import { checkpointOf, type Row } from '../sql/rows.ts'
import type { AcceptedWithin, AcceptItem, CheckpointAnswer, CheckpointItem, TransactionBody } from '../store.ts'
import { callerQuery } from './caller-query.ts'
import { type Connections, isPassing, storeError } from './connection.ts'
import { keyOfUuid, keyUuid } from './key-bytes.ts'
import type { Now } from './now.ts'
import { acceptWithinValues } from './params.ts'
import type { Naming } from './schema.ts'
import { literal } from './sql-literal.ts'

/** Tries of a transaction that another one was in the way of. */
const mostTries = 5

/** An error of the body: the caller's, whatever it is. */
class BodyError {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/**
 * Transactions that the user's own statements are in: theirs commit with a checkpoint (`run.transaction`), or an event
 * commits with them (the outbox).
 */
export class Transactions {
  readonly #connections: Connections
  readonly #random: Random
  readonly #now: Now
  readonly #beginSql: string
  readonly #endSql: string
  readonly #acceptSql: string

  constructor(connections: Connections, naming: Naming, random: Random, now: Now) {
    this.#connections = connections
    this.#random = random
    this.#now = now
    this.#beginSql = naming.sql('select :s.transaction_begin_1($1, $2, $3, $4, $5::uuid, $6, $7, $8) as answer')
    this.#endSql = naming.sql(
      'select :s.transaction_end_1($1, $2, $3, $4, $5, $6::uuid, $7, $8, $9, $10, $11, $12) as answer',
    )
    this.#acceptSql = naming.sql('select :s.accept_within_1')
  }

  /** The user's statements first, the fence last: nobody's takeover waits while the user thinks. */
  async transact(item: Omit<CheckpointItem, 'value'>, body: TransactionBody): Promise<CheckpointAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#connections.hold((client, ended) => this.#try(client, ended, item, body))
      } catch (error) {
        const cause = error instanceof BodyError ? error.error : error
        if (isPassing(cause) && tries < mostTries) continue
        throw error instanceof BodyError ? cause : storeError(error)
      }
    }
  }

  /**
   * Writes an event in a transaction that the caller has open. It never aborts it: where another transaction holds the
   * identity open, that is said.
   */
  async acceptWithin(transaction: unknown, item: AcceptItem): Promise<AcceptedWithin> {
    const query = callerQuery(transaction)
    if (!query) {
      throw new HapaxError('store_refused', {
        reason: 'a transactional accept needs an open transaction of pg, postgres.js, Kysely, Drizzle or Prisma',
      })
    }
    const values = [literal(this.#now()), ...acceptWithinValues(item).map(literal)]
    const [row] = await query(`${this.#acceptSql}(${values.join(', ')})::text as answer`)
    const answer = jsonIn(row)
    if (answer.o === 'f') throw new HapaxError('identity_in_flight')
    if (answer.o === 'a') return { outcome: 'pending' }
    return { outcome: 'exists', key: keyOfUuid(String(answer.k)) }
  }

  async #try(
    client: PoolClient,
    /** Says that the connection has no transaction open any more. */
    ended: () => void,
    item: Omit<CheckpointItem, 'value'>,
    body: TransactionBody,
  ): Promise<CheckpointAnswer> {
    const { owned, run, generation, attempt, step } = item
    const token = Buffer.from(this.#random.bytes(12)).toString('base64url')
    const fence = [token, owned.group, owned.shard, owned.epoch, keyUuid(run.event), run.tag, generation]
    const rollBack = async () => {
      await client.query('rollback')
      ended()
    }
    await client.query('begin')
    const before = await client.query<Row>(this.#beginSql, [...fence, stepText(step)])
    const found = before.rows[0]?.answer
    if (found) {
      await rollBack()
      return checkpointAnswer(found)
    }
    let value: string | undefined
    try {
      value = await body(client)
    } catch (error) {
      await rollBack()
      throw new BodyError(error)
    }
    const rest = checkpointRest(item)
    const values = [this.#now(), ...fence, attempt, stepText(step), value ?? null, rest]
    const { rows } = await client.query<Row>(this.#endSql, values)
    const answer = checkpointAnswer(rows[0]?.answer)
    if (answer.outcome !== 'written') {
      await rollBack()
      return answer
    }
    const { command } = await client.query('commit')
    ended()
    if (command !== 'COMMIT') throw new HapaxError('store_unavailable', { reason: 'the transaction was rolled back' })
    return answer
  }
}

function checkpointAnswer(answer: unknown): CheckpointAnswer {
  const { o, c } = typeof answer === 'object' && answer !== null ? (answer as { o?: unknown; c?: Row }) : {}
  if (o === 'written' || o === 'stale') return { outcome: o }
  if (o === 'refused' && c) return { outcome: 'refused', checkpoint: checkpointOf(c) }
  throw new HapaxError('store_unavailable', { reason: 'the function ended the transaction that it was given' })
}

function jsonIn(row: Row | undefined): { readonly o?: unknown; readonly k?: unknown } {
  return typeof row?.answer === 'string' ? JSON.parse(row.answer) : {}
}
