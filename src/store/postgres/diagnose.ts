import type { Client } from 'pg'
import { HapaxError } from '../../errors/hapax-error.ts'
import type { Clock } from '../../kit/clock.ts'
import { type Finding, warning } from '../finding.ts'
import type { PurgeRequest } from '../store.ts'
import type { Connections } from './connection.ts'
import { clockFindings, connectionFindings, hintFindings, roleFindings } from './diagnose-access.ts'
import { horizonFindings } from './diagnose-horizon.ts'
import { settingFindings } from './diagnose-settings.ts'
import {
  ledgerFindings,
  rangeFindings,
  retentionFindings,
  statisticFindings,
  tableFindings,
} from './diagnose-tables.ts'
import type { Now } from './now.ts'
import type { Naming } from './schema.ts'

/** From where on something is worth a look. */
export interface DiagnosisBounds {
  /** A transaction open for so long. */
  readonly openMs: number
  /** Transactions that have gone by since what a slot, a standby or a transaction still wants to see. */
  readonly behind: number
  /** Dead rows of a table that stays small, and how many times its live ones. */
  readonly deadRows: number
  readonly deadShare: number
  /** This machine's clock and the server's. */
  readonly skewMs: number
  /** How soon a notification must be heard. */
  readonly hintMs: number
  /** Bytes of a table that was never analysed. */
  readonly analysedBytes: number
  /** Bytes of log that a slot holds for nobody. */
  readonly slotBytes: number
}

const usual: DiagnosisBounds = {
  openMs: 60_000,
  behind: 1_000_000,
  deadRows: 10_000,
  deadShare: 4,
  skewMs: 500,
  hintMs: 2_000,
  analysedBytes: 8_388_608,
  slotBytes: 1_073_741_824,
}

/** What is looked at, and by what. */
export interface DiagnosisHost {
  readonly connections: Connections
  readonly naming: Naming
  readonly clock: Clock
  readonly now: Now
  /** A connection beside the pool, not connected yet. */
  readonly connect: () => Client
  /** Connections of one node, the one that listens among them. */
  readonly nodeConnections: number
}

/** A look with its bounds. */
export interface Diagnosis extends DiagnosisHost {
  readonly bounds: DiagnosisBounds
  readonly kept: Omit<PurgeRequest, 'rows'>
}

const looks: Readonly<Record<string, (diagnosis: Diagnosis) => Promise<Finding[]>>> = {
  settings: settingFindings,
  role: roleFindings,
  connections: connectionFindings,
  clock: clockFindings,
  notifications: hintFindings,
  horizon: horizonFindings,
  tables: tableFindings,
  statistics: statisticFindings,
  ranges: rangeFindings,
  ledger: ledgerFindings,
  retention: retentionFindings,
}

/**
 * Looks at the server, the role and the tables. Changes nothing, and tells of other sessions who they are and since when,
 * never what they said. What it may not see is told too.
 */
export async function diagnose(
  host: DiagnosisHost,
  kept: Omit<PurgeRequest, 'rows'>,
  bounds: Partial<DiagnosisBounds> = {},
): Promise<Finding[]> {
  const diagnosis = { ...host, kept, bounds: { ...usual, ...bounds } }
  const findings: Finding[] = []
  for (const [about, look] of Object.entries(looks)) {
    try {
      findings.push(...(await look(diagnosis)))
    } catch (error) {
      // What the server said, without our word for a commit.
      const cause = error instanceof HapaxError ? error.cause : error
      const found = `could not be looked at: ${cause instanceof Error ? cause.message : String(cause)}`
      findings.push(warning(about, found, 'a look at it', 'let the role read it, or look as another role'))
    }
  }
  return findings
}
