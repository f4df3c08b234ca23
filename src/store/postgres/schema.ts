import { HapaxError } from '../../errors/hapax-error.ts'
import { isTerminal, runStatuses } from '../../event/run-status.ts'
import { limits } from '../../kit/limits.ts'
import { numberIn } from '../sql/columns.ts'
import { type Connections, sqlState } from './connection.ts'
import { functions, functionsVersion } from './functions.ts'
import { rangedRelations } from './range-functions.ts'
import { rangeWidthMs } from './range-widths.ts'
import type { RangeOptions } from './ranges.ts'
import { tableMigrations } from './tables.ts'

/** The version of tables and functions that this code reads and writes. */
export const schemaVersion = tableMigrations.length

/** The schema that all objects are in, in statements. */
export class Naming {
  readonly schema: string
  readonly #quoted: string

  /** @throws `store_refused` for a name that needs more than letters, digits and `_`. */
  constructor(schema: string) {
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
      throw new HapaxError('store_refused', { reason: `the schema's name is of a-z, 0-9 and _, found ${schema}` })
    }
    this.schema = schema
    this.#quoted = `"${schema}"`
  }

  /** A statement written with `:s` for the schema, `:terminal` and `:dead` for numbers of run statuses. */
  sql(text: string): string {
    return text
      .replaceAll(':terminal', `array[${terminal.join(', ')}]`)
      .replaceAll(':dead', String(runStatuses.indexOf('dead')))
      .replaceAll("':s'", `'${this.#quoted}'`)
      .replaceAll(':s.', `${this.#quoted}.`)
  }
}

const terminal = runStatuses.flatMap((status, number) => (isTerminal(status) ? [number] : []))

/** The statements that bring a schema of this version to the present one, in order; each is one transaction. */
export function migrationPlan(
  naming: Naming,
  from: number,
  shards: number,
  ranges?: Pick<RangeOptions, 'now' | 'widthMs'>,
): string[] {
  const { schema } = naming
  if (from === schemaVersion) return [functionsStatement(naming)]
  const first = [
    `create schema if not exists "${schema}"`,
    `create table if not exists "${schema}".version (tables integer not null, functions integer not null)`,
    `insert into "${schema}".version select 0, 0 where not exists (select from "${schema}".version)`,
  ].join(';\n')
  const steps = tableMigrations.slice(from).map((text, index) => {
    const version = from + index + 1
    // The first number of a database that was restored elsewhere lies above all that it holds: see tables.ts.
    const made = version === 1 ? `insert into :s.meta values (1, ${shards}, 0, 0, 0, '');` : ''
    return naming.sql(`${text};\n${made}\nupdate :s.version set tables = ${version}`)
  })
  const plan = [...steps, functionsStatement(naming)]
  // In the same transaction: what is accepted before its range is there would keep it from being made.
  return from === 0 ? [first, ...plan, firstTimes(naming, ranges)] : plan
}

function firstTimes(naming: Naming, ranges?: Pick<RangeOptions, 'now' | 'widthMs'>): string {
  const now = ranges?.now() ?? 'null'
  const width = ranges?.widthMs ?? rangeWidthMs(limits.journalRetentionMs)
  const relations = rangedRelations.map((relation) => `'${relation}'`).join(', ')
  return naming.sql(`select :s.make_ranges_1(${now}, r, ${width}, 10000) from unnest(array[${relations}]) r;
    update :s.ledger_generation set opened_at = :s.now_1(${now})`)
}

function functionsStatement(naming: Naming): string {
  return naming.sql(`${functions};\nupdate :s.version set functions = greatest(functions, ${functionsVersion})`)
}

/** The versions that are there; 0 where there is no schema. */
export async function foundVersion(
  connections: Connections,
  { schema }: Naming,
): Promise<{ readonly tables: number; readonly functions: number }> {
  const [table] = await connections.rows('select to_regclass($1)::text as name', [`"${schema}".version`])
  if (typeof table?.name !== 'string') return { tables: 0, functions: 0 }
  const [row] = await connections.rows(`select tables, functions from "${schema}".version`)
  return row ? { tables: numberIn(row, 'tables'), functions: numberIn(row, 'functions') } : { tables: 0, functions: 0 }
}

/**
 * Brings the schema to this version. Several nodes may call it at once: one after the other does it, and the later ones
 * find it done. Nodes of an earlier version go on.
 *
 * @throws `schema_too_new`
 */
export async function migrateSchema(
  connections: Connections,
  naming: Naming,
  shards: number,
  ranges: RangeOptions,
): Promise<void> {
  const found = await foundVersion(connections, naming)
  if (found.tables > schemaVersion) {
    throw new HapaxError('schema_too_new', { found: found.tables, wanted: schemaVersion })
  }
  if (found.tables < schemaVersion || found.functions < functionsVersion) {
    const statement = guarded(naming, found.tables, migrationPlan(naming, found.tables, shards, ranges))
    try {
      await connections.rows(statement, [], limits.storeWorkMs)
    } catch (error) {
      throw asMigrators(error, naming)
    }
  }
  await connections.rows(
    naming.sql('update :s.meta set first_xid = first_xid + b from :s.numbers_behind_1() b where b > 0'),
  )
}

/** What a role lacks that migrates is not to be granted to it: another one owns the schema. */
function asMigrators(error: unknown, { schema }: Naming): unknown {
  if (!(error instanceof HapaxError) || sqlState(error.cause) !== '42501') return error
  const said = error.cause instanceof Error ? error.cause.message : ''
  const reason = `this role may not change schema ${schema} (${said}): run hapax migrate as the role that owns it, or that may create it in the database`
  return new HapaxError('store_refused', { reason }, { cause: error.cause })
}

/**
 * All steps in one statement and transaction, or none where another node was first. The lock is the transaction's: one of
 * the session would be lost behind a pooler.
 */
function guarded(naming: Naming, from: number, plan: readonly string[]): string {
  const body = plan.map((step) => `execute ${quoted(step)};`).join('\n')
  const isThere = `to_regclass('"${naming.schema}".version') is not null`
  return `do $migrate$
    declare
      now_at integer := 0;
    begin
      perform pg_advisory_xact_lock(hashtext('hapax migrate'), hashtext('${naming.schema}'));
      if ${isThere} then
        execute 'select tables from "${naming.schema}".version' into now_at;
      end if;
      if coalesce(now_at, 0) <> ${from} then return; end if;
      ${body}
    end $migrate$`
}

function quoted(text: string): string {
  return `$step$${text}$step$`
}

/** @throws `store_refused` where the schema is older, with the command to run; `schema_too_new` */
export async function checkSchema(connections: Connections, naming: Naming): Promise<void> {
  const found = await foundVersion(connections, naming)
  if (found.tables > schemaVersion) {
    throw new HapaxError('schema_too_new', { found: found.tables, wanted: schemaVersion })
  }
  if (found.tables === 0) {
    throw new HapaxError('store_refused', { reason: `no store in schema ${naming.schema}: run hapax migrate` })
  }
  if (found.tables < schemaVersion || found.functions < functionsVersion) {
    const reason = `schema ${naming.schema} is ${found.tables}.${found.functions}, and this version's ${schemaVersion}.${functionsVersion}: run hapax migrate`
    throw new HapaxError('store_refused', { reason })
  }
  const { behind } = await connections.row(naming.sql('select :s.numbers_behind_1() as behind'))
  if (behind !== 0) {
    const reason = `what schema ${naming.schema} holds came from another server, whose transactions were ahead of this one's: run hapax migrate`
    throw new HapaxError('store_refused', { reason })
  }
}
