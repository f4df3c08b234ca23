import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { EventRecord, Identity } from '../../event/event.ts'
import type { EventKey } from '../../event/event-key.ts'
import { stepText } from '../../event/run.ts'
import { isTerminal } from '../../event/run-status.ts'
import { numberIn, optionalNumberIn, optionalTextIn, textIn } from '../sql/columns.ts'
import { identityHash } from '../sql/identity-hash.ts'
import {
  beginOf,
  checkpointOf,
  eventOf,
  fingerprintOf,
  interventionOf,
  ledgerEntryOf,
  settleRestOf,
  stateOf,
  triedOf,
} from '../sql/rows.ts'
import type { HistoryEntry, LedgerEntry, RunRecord } from '../store.ts'

/** Reading by key, on a connection that only reads. Each call is a handful of probes. */
export class Reads {
  readonly #statements: ReturnType<typeof prepare>

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database)
  }

  event(key: EventKey): EventRecord | undefined {
    const row = this.#statements.eventByKey.get(key)
    return row && eventOf(row)
  }

  eventAt(position: number): EventRecord | undefined {
    const row = this.#statements.eventAt.get(position)
    return row && eventOf(row)
  }

  run(key: EventKey, tag: string): RunRecord | undefined {
    const row = this.#statements.positionOf.get(key)
    return row && this.runAt(key, numberIn(row, 'position'), tag)
  }

  /** @param brief names a run whose generation has ended without its steps. */
  runAt(key: EventKey, position: number, tag: string, brief = false): RunRecord {
    const s = this.#statements
    const settlements = s.settlements.all(position, tag)
    const latest = settlements.at(-1)
    const state = latest && stateOf(latest)
    const address = { event: key, position, tag }
    if (brief && state && isTerminal(state.status)) {
      return { ...address, state, checkpoints: [], begins: [], interventions: [], tried: [] }
    }
    const generation = state?.generation ?? 1
    const checkpoints = s.checkpoints.all(position, tag, generation).map(checkpointOf)
    const kept = new Set(checkpoints.map((checkpoint) => stepText(checkpoint.step)))
    return {
      ...address,
      state,
      checkpoints,
      begins: s.begins.all(position, tag, generation).map(beginOf),
      interventions: s.interventions.all(position, tag).map(interventionOf),
      tried: triedOf(settlements, generation).filter(({ step }) => !kept.has(stepText(step))),
    }
  }

  /** Tags of the runs that left anything at this event. */
  tagsAt(position: number): string[] {
    return this.#statements.tags.all(position, position, position, position).map((row) => textIn(row, 'tag'))
  }

  identity(identity: Identity): LedgerEntry | undefined {
    const hash = identityHash(identity)
    const s = this.#statements
    const recent = s.recentIdentities.get(hash, hash)
    if (recent) return ledgerEntryOf(recent)
    for (const { generation } of s.generations.all()) {
      const row = s.ledger.get(typeof generation === 'number' ? generation : 0, hash)
      const known = row && s.known.get(numberIn(row, 'position'), numberIn(row, 'position'))
      if (known) return ledgerEntryOf(known)
    }
    return undefined
  }

  history(key: EventKey): HistoryEntry[] {
    const s = this.#statements
    const event = s.eventByKey.get(key)
    if (!event) return []
    const position = numberIn(event, 'position')
    const entries: { seq: number; entry: HistoryEntry }[] = [
      { seq: position, entry: { kind: 'accepted', at: numberIn(event, 'accepted_at'), event: key } },
    ]
    for (const row of s.repeats.all(position)) {
      entries.push({
        seq: numberIn(row, 'seq'),
        entry: {
          kind: textIn(row, 'kind') === 'duplicate' ? 'duplicate' : 'conflict',
          at: numberIn(row, 'at'),
          id: textIn(row, 'id'),
          reason: optionalTextIn(row, 'reason'),
          fingerprint: fingerprintOf(row),
        },
      })
    }
    for (const row of s.allBegins.all(position)) {
      entries.push({ seq: numberIn(row, 'seq'), entry: { kind: 'begin', tag: textIn(row, 'tag'), ...beginOf(row) } })
    }
    for (const row of s.allCheckpoints.all(position)) {
      const tag = textIn(row, 'tag')
      const at = numberIn(row, 'at')
      entries.push({ seq: numberIn(row, 'seq'), entry: { kind: 'checkpoint', tag, at, ...checkpointOf(row) } })
    }
    for (const row of s.allSettlements.all(position)) {
      const rest = settleRestOf(row)
      entries.push({
        seq: numberIn(row, 'seq'),
        entry: {
          kind: 'settled',
          tag: textIn(row, 'tag'),
          at: numberIn(row, 'at'),
          handler: textIn(row, 'handler'),
          state: stateOf(row, rest),
          attemptedAt: optionalNumberIn(row, 'attempted_at'),
          intervention: rest.intervention,
          epoch: numberIn(row, 'epoch'),
        },
      })
    }
    for (const row of s.allInterventions.all(position)) {
      entries.push({ seq: numberIn(row, 'position'), entry: { kind: 'intervention', ...interventionOf(row) } })
    }
    return entries.sort((one, other) => one.seq - other.seq).map(({ entry }) => entry)
  }
}

function prepare(
  database: DatabaseSync,
): Record<
  | 'eventByKey'
  | 'eventAt'
  | 'positionOf'
  | 'settlements'
  | 'checkpoints'
  | 'begins'
  | 'interventions'
  | 'tags'
  | 'recentIdentities'
  | 'generations'
  | 'ledger'
  | 'known'
  | 'repeats'
  | 'allBegins'
  | 'allCheckpoints'
  | 'allSettlements'
  | 'allInterventions',
  StatementSync
> {
  const known = 'key, accepted_at, fingerprint_key, fingerprint'
  const event = 'select event.*, body.bytes from event left join body using (position)'
  return {
    eventByKey: database.prepare(`${event} where key = ?`),
    eventAt: database.prepare(`${event} where event.position = ?`),
    positionOf: database.prepare('select position from event where key = ?'),
    settlements: database.prepare('select * from settlement where position = ? and tag = ? order by generation, turn'),
    checkpoints: database.prepare(
      'select * from checkpoint where position = ? and tag = ? and generation = ? order by seq',
    ),
    begins: database.prepare(
      'select * from begin_record where position = ? and tag = ? and generation = ? order by seq',
    ),
    interventions: database.prepare(
      'select * from intervention where event_position = ? and tag = ? order by position',
    ),
    tags: database.prepare(
      `select tag from settlement where position = ? union select tag from checkpoint where position = ?
       union select tag from begin_record where position = ?
       union select tag from intervention where event_position = ? and tag is not null`,
    ),
    // Recent identities have no index on disk: the writer's memory is it. For people, reading some 65,000 rows is fine.
    recentIdentities: database.prepare(
      `select * from (
         select position, ${known} from event
         where position > (select watermark from progress) and identity = ?
         union all select position, ${known} from origin
         where position > (select watermark from progress) and identity = ?) order by position desc limit 1`,
    ),
    generations: database.prepare(
      "select generation from ledger_generation where state in ('sealed', 'dropping') order by up_to desc",
    ),
    ledger: database.prepare('select position from ledger where generation = ? and identity = ?'),
    known: database.prepare(
      `select ${known} from event where position = ? union all select ${known} from origin where position = ?`,
    ),
    repeats: database.prepare('select * from repeat where position = ?'),
    allBegins: database.prepare('select * from begin_record where position = ?'),
    allCheckpoints: database.prepare('select * from checkpoint where position = ? and copied = 0'),
    allSettlements: database.prepare('select * from settlement where position = ?'),
    allInterventions: database.prepare('select * from intervention where event_position = ?'),
  }
}
