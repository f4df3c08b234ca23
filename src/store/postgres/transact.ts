import type { PoolClient } from 'pg'
import { HapaxError } from '../../errors/hapax-error.ts'
import { stepText } from '../../event/run.ts'
import type { Random } from '../../kit/random.ts'
import { checkpointRest } from '../sql/rest.ts'
import { checkpointOf, type Row } from '../sql/rows.ts'
import type {
  AcceptedWithin,
  AcceptItem,
  CheckpointAnswer,
  CheckpointItem,
  TransactionBegin,
  TransactionBody,
} from '../store.ts'
import { callerQuery } from './caller-query.ts'
import { type Connections, isPassing, storeError } from './connection.ts'
import { keyOfUuid, keyUuid } from './key-bytes.ts'
import type { Now } from './now.ts'
import { acceptWithinValues } from './params.ts'
import type { Naming } from './schema.ts'
import { literal, type SqlValue } from './sql-literal.ts'

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
  readonly #withinSql: Readonly<Record<'begin' | 'end' | 'accept', string>>

  constructor(connections: Connections, naming: Naming, random: Random, now: Now) {
    this.#connections = connections
    this.#random = random
    this.#now = now
    this.#beginSql = naming.sql('select :s.transaction_begin_1($1, $2, $3, $4, $5::uuid, $6, $7, $8) as answer')
    this.#endSql = naming.sql(
      'select :s.transaction_end_1($1, $2, $3, $4, $5, $6::uuid, $7, $8, $9, $10, $11, $12) as answer',
    )
    this.#withinSql = {
      begin: naming.sql('select :s.transaction_begin_1'),
      end: naming.sql('select :s.transaction_end_1'),
      accept: naming.sql('select :s.accept_within_1'),
    }
  }

  /** The user's statements first, the fence last: nobody's takeover waits while the user thinks. */
  async transact(
    item: Omit<CheckpointItem, 'value'>,
    body: TransactionBody,
    begin?: TransactionBegin,
  ): Promise<CheckpointAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        if (begin) return await this.#tryWithin(begin, item, body)
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
    const values = [this.#now(), ...acceptWithinValues(item)]
    const answer = await askWithin(transaction, this.#withinSql.accept, values)
    if (answer?.o === 'f') throw new HapaxError('identity_in_flight')
    if (answer?.o === 'a') return { outcome: 'pending' }
    return { outcome: 'exists', key: keyOfUuid(String(answer?.k)) }
  }

  async #try(
    client: PoolClient,
    /** Says that the connection has no transaction open any more. */
    ended: () => void,
    item: Omit<CheckpointItem, 'value'>,
    body: TransactionBody,
  ): Promise<CheckpointAnswer> {
    const { attempt, step } = item
    const fence = this.#fence(item)
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
      value = await body(lent(client))
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

  /** The same in a transaction of the user's library, which commits it, or rolls it back where this rejects. */
  async #tryWithin(
    begin: TransactionBegin,
    item: Omit<CheckpointItem, 'value'>,
    body: TransactionBody,
  ): Promise<CheckpointAnswer> {
    const { attempt, step } = item
    let answer: CheckpointAnswer | undefined
    let failed: BodyError | undefined
    let undone = false
    const work = async (transaction: unknown) => {
      // A library may begin again by itself.
      ;[answer, failed, undone] = [undefined, undefined, false]
      const [token, group, shard, epoch, event, ...rest] = this.#fence(item)
      const fence = [token, group, shard, epoch, { uuid: event }, ...rest]
      const undo = (found: CheckpointAnswer) => {
        ;[answer, undone] = [found, true]
        return new RolledBack()
      }
      const found = await askWithin(transaction, this.#withinSql.begin, [...fence, stepText(step)])
      if (found !== null) throw undo(checkpointAnswer(found))
      let value: string | undefined
      try {
        value = await body(transaction)
      } catch (error) {
        failed = new BodyError(error)
        throw error
      }
      const values = [this.#now(), ...fence, attempt, stepText(step), value ?? null, checkpointRest(item)]
      const written = checkpointAnswer(await askWithin(transaction, this.#withinSql.end, values))
      if (written.outcome !== 'written') throw undo(written)
      answer = written
    }
    try {
      await begin(work)
    } catch (error) {
      if (failed) throw failed
      if (undone && answer) return answer
      throw error
    }
    if (undone || failed || !answer) throw new HapaxError('store_refused', { reason: beginsBadly })
    return answer
  }

  /** What names the attempt in both calls, behind a token of this try. */
  #fence({ owned, run, generation }: Omit<CheckpointItem, 'value'>) {
    const token = Buffer.from(this.#random.bytes(12)).toString('base64url')
    return [token, owned.group, owned.shard, owned.epoch, keyUuid(run.event), run.tag, generation] as const
  }
}

/** Makes a user's library roll back. */
class RolledBack extends Error {}

const beginsBadly =
  '`begin` of run.transaction must call what it is given in a transaction, and reject where that rejects'

/** One of our functions on a caller's open transaction; null: it answered nothing. */
async function askWithin(transaction: unknown, call: string, values: readonly SqlValue[]): Promise<Answer | null> {
  const query = callerQuery(transaction)
  if (!query) {
    throw new HapaxError('store_refused', {
      reason: 'this needs an open transaction of pg, postgres.js, Kysely, Drizzle or Prisma',
    })
  }
  const [row] = await query(`${call}(${values.map(literal).join(', ')})::text as answer`)
  return typeof row?.answer === 'string' ? JSON.parse(row.answer) : null
}

/**
 * A connection as it is given to the user's function. Libraries that take one give it back after each statement, which is
 * not theirs to do: the next one to come would write into this transaction.
 */
function lent(client: PoolClient): PoolClient {
  const methods = new Map<PropertyKey, unknown>([['release', () => undefined]])
  return new Proxy(client, {
    get(target, name) {
      if (methods.has(name)) return methods.get(name)
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const method: unknown = member.bind(target)
      methods.set(name, method)
      return method
    },
  })
}

function checkpointAnswer(answer: unknown): CheckpointAnswer {
  const { o, c } = typeof answer === 'object' && answer !== null ? (answer as { o?: unknown; c?: Row }) : {}
  if (o === 'written' || o === 'stale') return { outcome: o }
  if (o === 'refused' && c) return { outcome: 'refused', checkpoint: checkpointOf(c) }
  throw new HapaxError('store_unavailable', { reason: 'the function ended the transaction that it was given' })
}

/** What our functions answer within a caller's transaction. */
interface Answer {
  readonly o?: unknown
  readonly k?: unknown
}
