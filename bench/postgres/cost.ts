import { readdirSync, readFileSync } from 'node:fs'
import type pg from 'pg'
import type { Measured } from '../measure.ts'

/** What a span of work cost beside time: `walBytes`, `cpuSeconds`, and where they are counted `statements`. */
export class CostMeter {
  readonly #admin: pg.Client
  readonly #database: string
  readonly #serverPid: number | undefined

  /** @param admin in another database than the one whose statements are counted, so that its own are not among them */
  constructor(admin: pg.Client, database: string, serverPid: number | undefined) {
    this.#admin = admin
    this.#database = database
    this.#serverPid = serverPid
  }

  /** Runs `work`, and adds what it cost to what it measured. */
  async around(work: () => Promise<Measured>): Promise<Measured> {
    const before = await this.#read()
    const measured = await work()
    const after = await this.#read()
    const cost = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? Number.NaN)])
    return { ...measured, ...Object.fromEntries(cost) }
  }

  async #read(): Promise<Record<string, number>> {
    const { rows } = await this.#admin.query<Record<string, string>>(
      `select pg_current_wal_lsn() - '0/0'::pg_lsn as wal,
        (select coalesce(sum(s.calls), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid
          where d.datname = $1) as statements`,
      [this.#database],
    )
    const { wal, statements } = rows[0] ?? {}
    return {
      walBytes: Number(wal),
      statements: Number(statements),
      cpuSeconds: cpuSecondsOf(this.#serverPid),
    }
  }
}

/** Ticks a second, as /proc counts: the same on every Linux. */
const ticks = 100

/** Processor seconds of this process and of the server, with all their descendants; NaN where they cannot be read. */
function cpuSecondsOf(serverPid: number | undefined): number {
  return serverPid === undefined ? Number.NaN : cpuSecondsUnder([process.pid, serverPid])
}

/** Processor seconds of these processes with all their descendants, those that ended included; NaN where they cannot be read. */
export function cpuSecondsUnder(pids: readonly number[]): number {
  const processes = new Map<number, { readonly parent: number; readonly own: number; readonly reaped: number }>()
  try {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const fields = fieldsOf(name)
      if (!fields) continue
      const [, parent = 0] = fields
      const own = (fields[11] ?? 0) + (fields[12] ?? 0)
      const reaped = (fields[13] ?? 0) + (fields[14] ?? 0)
      processes.set(Number(name), { parent, own, reaped })
    }
  } catch {
    return Number.NaN
  }
  const roots = new Set(pids)
  const isOurs = (pid: number): boolean => {
    if (roots.has(pid)) return true
    const parent = processes.get(pid)?.parent ?? 0
    return parent > 1 && isOurs(parent)
  }
  let total = 0
  for (const [pid, { own, reaped }] of processes) {
    if (isOurs(pid)) total += own + (roots.has(pid) ? reaped : 0)
  }
  return total / ticks
}

/** The fields of a process behind its name, which may itself hold spaces: state, parent, … */
function fieldsOf(pid: string): number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
  } catch {
    // Ended meanwhile.
    return undefined
  }
}
