import type { EventRecord, Fingerprint } from '../event/event.ts'
import type { EventKey } from '../event/event-key.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { LateFingerprint, Store, Unfingerprinted } from '../store/store.ts'
import { canonicalOf } from './event-data.ts'
import type { FingerprintKeys } from './fingerprint-keys.ts'
import type { SourceTraits } from './source-traits.ts'

/** What making fingerprints afterwards needs of the node. */
export interface LateFingerprintsHost {
  readonly store: Store
  readonly keys: FingerprintKeys
  readonly log: Log
  source(name: string): SourceTraits | undefined
}

/**
 * Fingerprints of what was accepted without one, made from the stored bytes as an accept would have made them, and appended
 * to the ledger: by the owner that dispatches the event, by whoever meets its identity before that, and by the sweep.
 */
export class LateFingerprints {
  readonly #host: LateFingerprintsHost
  #gathering: LateFingerprint[] = []
  #next: Promise<void> | undefined
  #underWay: Promise<unknown> = Promise.resolve()

  constructor(host: LateFingerprintsHost) {
    this.#host = host
  }

  /**
   * Of an event that is dispatched. Never rejects: what could not be appended now waits for the sweep, and its payload waits
   * with it.
   */
  async dispatched(event: EventRecord): Promise<Fingerprint | undefined> {
    const { key, tenant, source, contentType, body } = event
    if (event.fingerprint || !body) return event.fingerprint
    try {
      return await this.#append({ event: key, tenant, source, contentType, body })
    } catch (error) {
      this.#host.log.warn('a fingerprint was not appended yet', { event: key, error: String(error) })
      return undefined
    }
  }

  /** Of an event whose identity came again: then the repeat can be judged. */
  async met(key: EventKey): Promise<void> {
    const event = await this.#host.store.event(key)
    if (!event?.body || event.fingerprint) return
    const { tenant, source, contentType, body } = event
    await this.#append({ event: key, tenant, source, contentType, body })
  }

  /** Of all that lacks one: no payload is dropped before. */
  async catchUp(): Promise<void> {
    const { store } = this.#host
    let after: Unfingerprinted | undefined
    do {
      const page: Unfingerprinted[] = (await store.unfingerprinted?.(limits.fingerprintRows, after)) ?? []
      await Promise.all(page.map((one) => this.#append(one)))
      after = page.length < limits.fingerprintRows ? undefined : page.at(-1)
    } while (after)
  }

  async #append(content: Unfingerprinted): Promise<Fingerprint> {
    const { keys, source } = this.#host
    const { event, repeatedBy, tenant } = content
    const key = keys.known(tenant) ?? (await keys.open(tenant))
    const fingerprint = keys.make(key, canonicalOf(content, source(content.source)))
    this.#gathering.push({ event, ...(repeatedBy === undefined ? {} : { repeatedBy }), fingerprint })
    this.#next ??= this.#underWay.then(() => this.#send())
    await this.#next
    return fingerprint
  }

  /** One call at a time: what comes meanwhile goes with the next. */
  #send(): Promise<void> {
    const items = this.#gathering
    this.#gathering = []
    this.#next = undefined
    const sent = this.#host.store.appendFingerprints?.(items) ?? Promise.resolve()
    this.#underWay = sent.catch(() => {})
    return sent
  }
}
