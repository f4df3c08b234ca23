import { hash } from 'node:crypto'
import { HapaxError } from '../errors/hapax-error.ts'
import type { EventRecord } from '../event/event.ts'
import { type EventKey, mintEventKey } from '../event/event-key.ts'
import type { Registry } from '../event/handler-record.ts'
import type { Receipt } from '../event/receipt.ts'
import { runId } from '../event/run.ts'
import type { RunStatus } from '../event/run-status.ts'
import { type Clock, sleep } from '../kit/clock.ts'
import { toMs } from '../kit/duration.ts'
import type { HmacKey } from '../kit/hmac.ts'
import { limits } from '../kit/limits.ts'
import type { Random } from '../kit/random.ts'
import type { AcceptAnswer, AcceptItem, JudgedAccept, Owned, RunRecord, Store } from '../store/store.ts'
import type { HandOver } from './admission.ts'
import type { AcceptOptions, NewEvent, PendingAccept } from './api.ts'
import type { Committer } from './committer.ts'
import { type Content, contentOf } from './event-data.ts'
import type { FingerprintKeys } from './fingerprint-keys.ts'
import type { LateFingerprints } from './late-fingerprints.ts'
import { Routes } from './routes.ts'
import type { SourceTraits } from './source-traits.ts'

/** What accepting needs of the node. */
export interface AcceptHost {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly committer: Committer
  readonly keys: FingerprintKeys
  readonly lateFingerprints: LateFingerprints
  readonly group: string
  registry(): Registry
  source(name: string): SourceTraits | undefined
  /** The owned pair of this shard, where an event may be handed over in memory after its commit. */
  handOver(shard: number): Owned | undefined
  pickShard(): number | undefined
  /** An event of this pair is about to be committed for hand-over. */
  expect(owned: Owned): HandOver
  /** Whether the pair is still this node's. */
  holds(owned: Owned): boolean
  /** It was found not to be. */
  lose(owned: Owned): void
  /** A committed event of this node's own that was not handed over. */
  accepted(event: EventRecord): void
  /** What this process knows of a run without reading: it executes here. */
  isRunning(run: string): boolean
}

type RepeatAnswer = Extract<JudgedAccept, { readonly outcome: 'duplicate' | 'conflict' }>

const askTriesMost = 3

const controlCharacters = /\p{Cc}/u

/**
 * The one door in: an event is checked, identified, fingerprinted and committed; only then is there a receipt (G1, G2).
 * Every way in uses it.
 */
export class Accepter {
  readonly #host: AcceptHost
  readonly #routes: Routes

  constructor(host: AcceptHost) {
    this.#host = host
    this.#routes = new Routes(() => host.registry())
  }

  /**
   * Commits the event, and hands it over. Where it was to be handed over and its commit got no answer, the caller is told so at
   * once, and it is asked for in the background until it is answered: `tail` leaves it out, so that nobody else would find it
   * while this node lives.
   *
   * It awaits the commit itself: three functions that awaited each other left 2.2 kB of garbage of each accept, this leaves 1.1.
   *
   * @throws `invalid_event`, `identity_required`, JSON codes, `store_unavailable`, `too_many_requests`
   */
  async accept(event: NewEvent, options: AcceptOptions): Promise<Receipt> {
    const tenant = this.#tenant(event)
    const key = this.#host.keys.known(tenant) ?? (await this.#host.keys.open(tenant))
    const item = this.#item(event, options, tenant, key)
    // Of the version that the event records: by the time of the answer the registry may be another.
    const handlers = this.#routes.of(item.source, item.type)
    const handOver = item.handedTo && this.#host.expect(item.handedTo)
    let answer: AcceptAnswer
    try {
      answer = await this.#host.committer.accept(item)
      if (answer.outcome === 'unfingerprinted') answer = await this.#judged(item, answer)
      this.#committed(item, answer, handOver)
    } catch (error) {
      if (item.handedTo && handOver) this.#unanswered(item, item.handedTo, handOver, error)
      throw error
    }
    if (answer.outcome === 'in_flight') throw new HapaxError('identity_in_flight')
    if (answer.outcome !== 'accepted') return this.#repeated(item, answer)
    return {
      outcome: 'accepted',
      durability: this.#host.store.durability,
      event: { key: item.key, acceptedAt: answer.acceptedAt },
      runs: handlers.map(({ tag, name }) => ({
        id: runId({ event: item.key, tag }),
        handler: name,
        status: 'ready' as const,
      })),
    }
  }

  async #repeated(item: AcceptItem, answer: RepeatAnswer): Promise<Receipt> {
    return {
      outcome: answer.outcome,
      durability: this.#host.store.durability,
      event: { key: answer.original, acceptedAt: answer.acceptedAt },
      runs: await this.#runsOf(answer.original, item, answer.statuses),
      ...(answer.reason === undefined ? {} : { reason: answer.reason }),
    }
  }

  #committed(item: AcceptItem, answer: JudgedAccept, handOver: HandOver | undefined): void {
    const event = eventOf(item, answer)
    if (!handOver) {
      if (event) this.#host.accepted(event)
    } else if (event) handOver.take(event)
    else handOver.forgo()
  }

  #unanswered(item: AcceptItem, owned: Owned, handOver: HandOver, error: unknown): void {
    if (error instanceof HapaxError && error.code === 'too_many_requests') handOver.forgo()
    else void this.#askUntilAnswered(item, owned, handOver)
  }

  /** Where the first event of the identity has no fingerprint yet, it gets one, and the item is judged by it. */
  async #judged(item: AcceptItem, first: AcceptAnswer): Promise<JudgedAccept> {
    let answer = first
    for (let tries = 1; answer.outcome === 'unfingerprinted'; tries++) {
      // The first event changes between two tries where a window passes; not again and again.
      if (tries === askTriesMost) throw new HapaxError('identity_in_flight')
      await this.#host.lateFingerprints.met(answer.original)
      answer = await this.#host.committer.accept(item)
    }
    return answer
  }

  async #askUntilAnswered(item: AcceptItem, owned: Owned, handOver: HandOver): Promise<void> {
    await sleep(this.#host.clock, limits.pollMaxMs)
    // Another owner reads it by `tail`: it was not handed to that one.
    while (this.#host.holds(owned)) {
      try {
        const answer = await this.#judged(item, await this.#host.committer.accept(item))
        const event = eventOf(item, answer)
        // Whoever asked again has had its key meanwhile, and may have sent it signals.
        const records = event ? await this.#recordsOf(event) : []
        if (event) handOver.take(event, records)
        else handOver.forgo()
        return
      } catch {
        await sleep(this.#host.clock, limits.pollMaxMs)
      }
    }
    // The lease has run out, and its timer has not noticed yet: a beat answered late would renew a pair that never hears of it.
    this.#host.lose(owned)
  }

  async #recordsOf(event: EventRecord): Promise<RunRecord[]> {
    const tags = this.#routes.of(event.source, event.type).map(({ tag }) => tag)
    const records = await Promise.all(tags.map((tag) => this.#host.store.run(event.key, tag)))
    return records.filter((record) => record !== undefined)
  }

  /** Writes the event inside the caller's own open transaction: committed or not with what the caller does. */
  async acceptWithin(event: NewEvent, options: AcceptOptions): Promise<PendingAccept> {
    const { store } = this.#host
    if (!store.acceptWithin) {
      throw new HapaxError('ability_missing', { handler: 'accept', ability: 'transaction', store: store.kind })
    }
    const tenant = this.#tenant(event)
    const key = this.#host.keys.known(tenant) ?? (await this.#openWithin(tenant))
    const { handedTo: _handedTo, ...item } = this.#item(event, options, tenant, key)
    const answer = await store.acceptWithin(options.transaction, item)
    return { outcome: answer.outcome, event: { key: answer.outcome === 'exists' ? answer.key : item.key } }
  }

  /** The caller's own transaction may hold the place where a new tenant's key is to be written. */
  async #openWithin(tenant: string): Promise<HmacKey> {
    try {
      return await this.#host.keys.open(tenant)
    } catch (error) {
      if (!(error instanceof HapaxError) || error.code !== 'store_busy') throw error
      const reason = `tenant ${tenant} has no fingerprint key yet, and none can be made while the caller's transaction holds the store; accept one event of the tenant without a transaction first`
      throw new HapaxError('store_busy', { reason }, { cause: error })
    }
  }

  /** The item of a follow-up event, for the commit of the checkpoint that emits it. */
  async emitted(event: NewEvent): Promise<AcceptItem> {
    const tenant = this.#tenant(event)
    const key = this.#host.keys.known(tenant) ?? (await this.#host.keys.open(tenant))
    const { handedTo: _handedTo, ...item } = this.#item(event, {}, tenant, key)
    return item
  }

  #tenant(event: NewEvent): string {
    return event.tenant ?? this.#host.source(event.source)?.tenant ?? 'default'
  }

  #item(event: NewEvent, options: AcceptOptions, tenant: string, key: HmacKey): AcceptItem {
    const { clock, random, store, keys } = this.#host
    const source = this.#host.source(event.source)
    checkText('source', event.source, limits.nameLength)
    checkText('type', event.type, limits.nameLength)
    checkText('tenant', tenant, limits.idBytes)
    const content = contentOf(event, source, options.parsed)
    const fingerprint = keys.make(key, content.canonical)
    const id = event.id ?? this.#contentId(content, key, event)
    checkText('id', id, limits.idBytes)
    const orderKey = event.orderKey ?? content.orderKey()
    if (orderKey !== undefined) checkText('orderKey', orderKey, limits.idBytes)
    const shard =
      orderKey === undefined
        ? (this.#host.pickShard() ?? Math.floor(random.fraction() * store.shards))
        : shardOfOrderKey(tenant, orderKey, store.shards)
    const unclaimed = this.#routes.of(event.source, event.type).length === 0
    const idSigned = options.idSigned ?? true
    // An ordered event starts only after a tail that saw its own commit (G7), so it is not handed over.
    const handedTo = orderKey === undefined && store.abilities.acceptSpans ? this.#host.handOver(shard) : undefined
    return {
      key: mintEventKey(clock.now(), shard, random),
      shard,
      tenant,
      source: event.source,
      id,
      idSigned,
      type: event.type,
      subject: event.subject,
      time: event.time instanceof Date ? event.time.toISOString() : event.time,
      contentType: content.type,
      orderKey,
      registryVersion: this.#host.registry().version,
      headers: event.headers ?? {},
      fingerprints: [fingerprint],
      body: content.body,
      unclaimed,
      ...(event.id === undefined && source?.identity ? { windowMs: toMs(source.identity.window) } : {}),
      ...(idSigned || !source?.replayWindowMs ? {} : { contentWindowMs: source.replayWindowMs }),
      ...(handedTo ? { handedTo } : {}),
    }
  }

  #contentId(content: Content, key: HmacKey, event: NewEvent): string {
    const picked = content.identity()
    if (picked === undefined) throw new HapaxError('identity_required', { source: event.source })
    return `content:${this.#host.keys.make(key, picked).hash}`
  }

  async #runsOf(
    original: EventKey,
    item: AcceptItem,
    statuses: Readonly<Record<string, RunStatus>> | undefined,
  ): Promise<Receipt['runs']> {
    const handlers = this.#routes.of(item.source, item.type)
    return Promise.all(
      handlers.map(async ({ tag, name }) => {
        const id = runId({ event: original, tag })
        const settled = statuses ? statuses[tag] : (await this.#host.store.run(original, tag))?.state?.status
        const status = settled ?? 'ready'
        return {
          id,
          handler: name,
          status: status === 'ready' && this.#host.isRunning(id) ? 'running' : status,
        }
      }),
    )
  }
}

/** The shard of an order key: all its events live there. */
export function shardOfOrderKey(tenant: string, orderKey: string, shards: number): number {
  const digest = hash('sha256', `${tenant.length}:${tenant}${orderKey}`, 'buffer')
  return digest.readUInt32BE(0) % shards
}

/** The event of an accept, where its shard knows of it. */
function eventOf(item: AcceptItem, answer: JudgedAccept): EventRecord | undefined {
  if (answer.outcome !== 'accepted' || answer.position === undefined) return undefined
  return recordOf(item, answer.position, answer.acceptedAt)
}

function recordOf(item: AcceptItem, position: number, acceptedAt: number): EventRecord {
  return {
    key: item.key,
    position,
    shard: item.shard,
    tenant: item.tenant,
    source: item.source,
    id: item.id,
    idSigned: item.idSigned,
    type: item.type,
    subject: item.subject,
    time: item.time,
    contentType: item.contentType,
    orderKey: item.orderKey,
    fingerprint: item.fingerprints[0],
    registryVersion: item.registryVersion,
    acceptedAt,
    headers: item.headers,
    body: item.body,
  }
}

function checkText(what: string, text: unknown, bytesMax: number): void {
  if (typeof text !== 'string')
    throw new HapaxError('invalid_event', { reason: `${what} must be a string, found ${typeof text}` })
  if (text === '') throw new HapaxError('invalid_event', { reason: `${what} is empty` })
  // Most texts are short: a text cannot be longer in bytes than three times its length.
  if (text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax) {
    throw new HapaxError('invalid_event', { reason: `${what} is longer than ${bytesMax} bytes` })
  }
  if (controlCharacters.test(text))
    throw new HapaxError('invalid_event', { reason: `${what} holds a control character` })
  if (!text.isWellFormed()) throw new HapaxError('invalid_event', { reason: `${what} holds a lone surrogate` })
}
