import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { numberIn } from '../sql/columns.ts'
import { contentHash } from '../sql/identity-hash.ts'
import { eventFlags } from '../sql/rest.ts'
import type { JudgedAccept } from '../store.ts'
import type { AcceptRow } from './items.ts'
import type { Known } from './ledger.ts'
import type { Progress } from './progress.ts'

/** What an accept asks of the ledger. */
export interface Lookup {
  find(hash: string): Known | undefined
  remember(hash: string, position: number): void
}

/** The writing of accepts: identity, event and body in the same transaction (G2). */
export class Accepts {
  readonly #progress: Progress
  readonly #ledger: Lookup
  readonly #insertEvent: StatementSync
  readonly #insertBody: StatementSync
  readonly #insertUnclaimed: StatementSync
  readonly #insertRepeat: StatementSync
  readonly #insertSuccession: StatementSync
  readonly #succeeds: StatementSync
  readonly #byKey: StatementSync

  constructor(database: DatabaseSync, progress: Progress, ledger: Lookup) {
    this.#progress = progress
    this.#ledger = ledger
    this.#insertEvent = database.prepare('insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#insertBody = database.prepare('insert into body values (?, ?)')
    this.#insertUnclaimed = database.prepare('insert into unclaimed values (?)')
    this.#insertRepeat = database.prepare(
      'insert into repeat values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing',
    )
    this.#insertSuccession = database.prepare('insert into succession values (?, ?)')
    this.#succeeds = database.prepare('select 1 from succession where position = ?')
    this.#byKey = database.prepare('select position, accepted_at from event where key = ?')
  }

  /** Judges one accept by the ledger, and writes the event or the repeat. */
  accept(item: AcceptRow, now: number): JudgedAccept {
    const known = this.#ledger.find(item.identity)
    if (known) {
      if (known.key === item.key) return { outcome: 'accepted', acceptedAt: known.acceptedAt, position: known.position }
      // Its own event may lie behind a later one of the same identity: windows pass.
      const own = this.#succeeds.get(known.position) && this.#byKey.get(item.key)
      if (own) {
        return { outcome: 'accepted', acceptedAt: numberIn(own, 'accepted_at'), position: numberIn(own, 'position') }
      }
      if (item.windowMs === null || now - known.acceptedAt <= item.windowMs) return this.#repeat(item, known, now)
    }
    if (item.contentWindowMs !== null) {
      const twin = this.#sameContent(item, item.contentWindowMs, now)
      if (twin) return this.#repeat(item, twin, now, 'same_signed_content')
    }
    return { outcome: 'accepted', acceptedAt: now, position: this.#insert(item, known, now) }
  }

  #sameContent(item: AcceptRow, windowMs: number, now: number): Known | undefined {
    for (const fingerprint of item.fingerprints) {
      const known = this.#ledger.find(contentHash(item, fingerprint))
      if (known && now - known.acceptedAt <= windowMs) return known
    }
    return undefined
  }

  #insert(item: AcceptRow, earlier: Known | undefined, now: number): number {
    const position = this.#progress.next()
    const [fingerprint = { keyId: 0, hash: '' }] = item.fingerprints
    const content = item.contentWindowMs === null ? null : contentHash(item, fingerprint)
    this.#insertEvent.run(
      position,
      item.key,
      item.shard,
      item.identity,
      content,
      now,
      item.tenant,
      item.source,
      item.id,
      item.type,
      fingerprint.keyId,
      fingerprint.hash,
      item.registryVersion,
      item.flags,
      item.contentType,
      item.orderKey,
      item.rest,
    )
    this.#insertBody.run(position, item.body)
    if (item.flags & eventFlags.unclaimed) {
      this.#insertUnclaimed.run(position)
      this.#progress.addUnclaimed(position)
    }
    if (earlier) this.#insertSuccession.run(position, earlier.position)
    this.#ledger.remember(item.identity, position)
    if (content !== null) this.#ledger.remember(content, position)
    this.#progress.events++
    return position
  }

  #repeat(item: AcceptRow, known: Known, now: number, reason?: 'same_signed_content'): JudgedAccept {
    const same =
      reason !== undefined ||
      item.fingerprints.some(({ keyId, hash }) => keyId === known.fingerprintKey && hash === known.fingerprint)
    const outcome = same ? 'duplicate' : 'conflict'
    const [fingerprint = { keyId: 0, hash: '' }] = item.fingerprints
    // Where retention has dropped the original there is no journal to write to.
    if (known.inJournal) {
      const seq = this.#progress.next()
      const { keyId, hash } = fingerprint
      this.#insertRepeat.run(known.position, item.key, seq, outcome, now, item.id, reason ?? null, keyId, hash)
    }
    const answer = { outcome, original: known.key, acceptedAt: known.acceptedAt } as const
    return reason ? { ...answer, reason } : answer
  }
}
