import type { Row } from '../sql/rows.ts'

/** Runs one statement on a caller's open transaction. */
export type CallerQuery = (sql: string) => Promise<readonly Row[]>

/**
 * How a statement is run on a transaction of the caller's library, told by its shape: nothing of these libraries is loaded.
 * Knows a client of `pg`, a transaction of postgres.js, Kysely, Drizzle and Prisma. Undefined for anything else.
 */
export function callerQuery(transaction: unknown): CallerQuery | undefined {
  if (typeof transaction === 'function' && isMethod(transaction, 'unsafe')) {
    // postgres.js: `sql.begin((transaction) => …)`
    return async (sql) => rowsOf(await call(transaction, 'unsafe', sql))
  }
  if (typeof transaction !== 'object' || transaction === null) return undefined
  if (isMethod(transaction, 'executeQuery') && isMethod(transaction, 'selectFrom')) {
    // Kysely: `db.transaction().execute((transaction) => …)`
    const compiled = (sql: string) => ({
      sql,
      parameters: [],
      query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
      queryId: { queryId: 'hapax' },
    })
    return async (sql) => rowsOf(await call(transaction, 'executeQuery', compiled(sql)))
  }
  // Prisma: `prisma.$transaction(async (transaction) => …)`
  if (isMethod(transaction, '$queryRawUnsafe')) {
    return async (sql) => rowsOf(await call(transaction, '$queryRawUnsafe', sql))
  }
  // Drizzle: `db.transaction(async (transaction) => …)`
  if (isMethod(transaction, 'execute') && isMethod(transaction, 'rollback')) {
    return async (sql) => rowsOf(await call(transaction, 'execute', sql))
  }
  // A `Client` or `PoolClient` of pg; a `Pool` has no transaction.
  if (isMethod(transaction, 'query') && isMethod(transaction, 'escapeLiteral')) {
    return async (sql) => rowsOf(await call(transaction, 'query', sql))
  }
  return undefined
}

function isMethod(value: object, name: string): boolean {
  return typeof Reflect.get(value, name) === 'function'
}

function call(target: object, name: string, argument: unknown): unknown {
  const method: unknown = Reflect.get(target, name)
  return typeof method === 'function' ? Reflect.apply(method, target, [argument]) : undefined
}

/** Rows as a list, or under `rows`, as the libraries answer. */
function rowsOf(answer: unknown): readonly Row[] {
  if (Array.isArray(answer)) return answer
  const rows: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'rows') : undefined
  return Array.isArray(rows) ? rows : []
}
