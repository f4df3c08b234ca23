import type { ErrorCode } from '../errors/catalogue.ts'
import type { ErrorDetails } from '../errors/hapax-error.ts'
import type { Instant } from '../kit/clock.ts'
import type { Duration } from '../kit/duration.ts'
import type { Rate } from '../kit/rate.ts'

/** A request as it came, before anything was made of it. */
export interface RawRequest {
  readonly method: string
  /** The whole URL as the sender called it. */
  readonly url: string
  readonly body: Uint8Array
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** When the request arrived, by the server's clock: tolerances are checked against this. */
  readonly receivedAtMs: Instant
}

/** What a source made of a verified request. */
export interface SourceEvent {
  /** The sender's id. Absent where the sender gives none: the source derives identity from content, or accept refuses. */
  readonly id?: string
  /** Whether the id lies in what the signature covers. An unsigned id is also checked by content. */
  readonly idSigned: boolean
  readonly type: string
  readonly subject?: string
  /** When it happened, by the sender: RFC 3339. */
  readonly time?: string
  /** The whole parsed body, never a part of it; a form becomes a string map; undefined where the body is neither. */
  readonly data: unknown
  /** The body's text, only where a double could not keep one of its decimals: for `canonicalJson`. */
  readonly exactText?: string
  /** The body's media type without parameters, like `application/json`. */
  readonly contentType: string
  /** The tenant, where the source derives it from signed bytes. */
  readonly tenant?: string
}

/** A request that is turned away, and why. */
export interface Refusal {
  readonly ok: false
  readonly code: ErrorCode
  readonly details?: ErrorDetails
}

/** What a source says of a request. */
export type Verdict =
  | { readonly ok: true; readonly event: SourceEvent }
  /** A provider's challenge: answered, nothing is accepted. */
  | { readonly ok: true; readonly answer: { status: number; headers: Record<string, string>; body: string } }
  | Refusal

/** The event as the functions of a source's options see it. */
export interface OrderKeyEvent<Data = unknown> {
  readonly type: string
  /** The whole body. Each preset says what it relies on; the rest is `unknown`. */
  readonly data: Data
}

/** What every body that is an object is. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** Options that every source takes. `Data`: what the source's bodies look like. */
export interface SourceOptions<Data = JsonRecord> {
  /** The source's name: its endpoint is `/in/{name}`. Letters, digits, `.`, `_`, `-`. Default: the scheme's name. */
  readonly name?: string
  /** Whose events these are. Default `'default'`. */
  readonly tenant?: string
  /**
   * The order key of an event, fixed when it is accepted. Nothing (undefined, null, empty): the event is not ordered.
   * Called only with bodies of the shape that its type promises.
   */
  readonly orderKey?: (event: OrderKeyEvent<Data>) => string | null | undefined
  /** Largest body, in bytes. Default 1 MiB. */
  readonly bodyBytes?: number
  /** Fields, as dotted paths, that genuine resends change: left out of the fingerprint, beside those the preset knows. */
  readonly fingerprintWithout?: readonly string[]
  /**
   * How often runs of its events begin, over all nodes and handlers of a group, like `'100/s'`. What comes faster is accepted,
   * and waits. Default: no limit.
   */
  readonly rate?: Rate
  /**
   * How long after an event the sender may send it again, by itself or by a person's hand: identities must be kept for
   * longer. Default: what the provider documents; for `hmac` it is not known, and nothing is checked.
   */
  readonly resends?: Duration
}

/** Identity taken from content, for senders that give no id. */
export interface ContentIdentity {
  /** Dotted paths of the fields that make the identity. */
  readonly content: readonly string[]
  /** Equal content within this span is the same event; after it, a new one. Two equal bets may both be meant. */
  readonly window: Duration
}

/** What {@link Source.sign} signs. */
export interface OutgoingMessage {
  readonly body: Uint8Array
  /** When it is sent. */
  readonly nowMs: Instant
  /** The event's id and type, for schemes that put them into headers. */
  readonly id?: string
  readonly type?: string
}

/**
 * Where events come from: one value, one endpoint, one duty. `verify` is pure but for fetched keys.
 */
export interface Source {
  readonly name: string
  /** The scheme it speaks, like `stripe`. */
  readonly scheme: string
  readonly tenant: string
  readonly bodyBytes: number
  readonly fingerprintWithout: readonly string[]
  /** How often runs of its events begin, in times a second. Absent: no limit. */
  readonly rate?: number | undefined
  readonly identity: ContentIdentity | undefined
  /** Unsigned ids: a new id with a body already seen within this many milliseconds is `duplicate`. */
  readonly replayWindowMs: number
  /** How long after an event its sender may send it again. Absent: not known. */
  readonly resendsMs?: number | undefined
  /** How conflicts are answered: 200 from provider presets, which punish failures; 409 from own senders. */
  readonly conflictStatus: 200 | 409
  /** The order key of an event; undefined where the event is not ordered. */
  readonly orderKey: ((event: OrderKeyEvent) => string | undefined) | undefined
  verify(request: RawRequest): Verdict | Promise<Verdict>
  /**
   * The headers with which a genuine sender would send this body, signed with the first secret: for `hapax send` and
   * tests. Undefined where the source holds no secret that signs (a public key alone).
   */
  readonly sign?: ((message: OutgoingMessage) => Record<string, string>) | undefined
}
