import type { DatabaseSync } from 'node:sqlite'
import { HapaxError } from '../errors/hapax-error.ts'
import { stepText } from '../event/run.ts'
import type { CheckpointAnswer, CheckpointItem, Store, TransactionBody } from '../store/store.ts'

/**
 * A store that has none, with transactions: the caller's own database commits together with the checkpoint, as in a store
 * that keeps both. One at a time, as SQLite has it.
 */
export function transactional(store: Store, database: DatabaseSync): Store {
  let last: Promise<unknown> = Promise.resolve()
  const transact: NonNullable<Store['transact']> = (item, body, begin) => {
    if (begin) {
      const reason = 'transactions of this store are its own: leave `begin` out'
      return Promise.reject(new HapaxError('store_refused', { reason }))
    }
    const answer = last.then(() => transactOn(store, database, item, body))
    last = answer.catch(() => {})
    return answer
  }
  const abilities = { ...store.abilities, transaction: true }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'abilities') return abilities
      if (name === 'transact') return transact
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

async function transactOn(
  store: Store,
  database: DatabaseSync,
  item: Omit<CheckpointItem, 'value'>,
  body: TransactionBody,
): Promise<CheckpointAnswer> {
  const kept = (await store.run(item.run.event, item.run.tag))?.checkpoints.find(
    ({ step, generation }) => stepText(step) === stepText(item.step) && generation === item.generation,
  )
  if (kept) return { outcome: 'refused', checkpoint: kept }
  // Of a node that died inside it: what it had done is undone.
  if (database.isTransaction) database.exec('rollback')
  database.exec('begin immediate')
  try {
    const value = body(database)
    if (value instanceof Promise) {
      value.catch(() => undefined)
      throw new HapaxError('transaction_async')
    }
    const { checkpoint } = await store.commit({ checkpoint: [{ ...item, ...(value !== undefined && { value }) }] })
    const answer = checkpoint[0] ?? { outcome: 'stale' as const }
    database.exec(answer.outcome === 'written' ? 'commit' : 'rollback')
    return answer
  } catch (error) {
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
}
