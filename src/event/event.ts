import type { Instant } from '../kit/clock.ts'
import type { EventKey } from './event-key.ts'

/** Whose event it is, where from, and which: what makes two events the same one (G2). */
export interface Identity {
  readonly tenant: string
  readonly source: string
  readonly id: string
}

/** A keyed hash of an event's content; names the key it was made with, so that retired keys stay readable. */
export interface Fingerprint {
  /** The tenant's key of this number. */
  readonly keyId: number
  /** HMAC-SHA256 in base64url: a plain hash of a low-entropy body could be guessed from it. */
  readonly hash: string
}

/** How a body is kept: JSON text, a form, or bytes nobody parsed. */
export type ContentType = string

/** An event as it is kept: immutable from its commit on. */
export interface EventRecord extends Identity {
  readonly key: EventKey
  /** Where the store's log has it: grows in commit order. Opaque but for comparing. */
  readonly position: number
  readonly shard: number
  readonly idSigned: boolean
  readonly type: string
  readonly subject: string | undefined
  /** When it happened, by its sender: RFC 3339. */
  readonly time: string | undefined
  readonly contentType: ContentType
  readonly orderKey: string | undefined
  /** Undefined while an accept by SQL has none yet: its owner appends it. */
  readonly fingerprint: Fingerprint | undefined
  /** The registry version that the accepting node saw: the event's runs are the handlers of that version that match. */
  readonly registryVersion: number
  /** By the store's clock. */
  readonly acceptedAt: Instant
  /** Headers as they came, of an allow-list, names in lower case; CloudEvents extension attributes as `ce-…`. */
  readonly headers: Readonly<Record<string, string>>
  /** The raw bytes as they came; undefined once payload retention has dropped them. */
  readonly body: Uint8Array | undefined
  /** Accepted by SQL: nobody has read the body, and it may not be what its content type says. */
  readonly unparsed?: true
}
