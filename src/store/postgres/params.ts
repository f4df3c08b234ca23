import type { Identity } from '../../event/event.ts'
import { runId, stepText } from '../../event/run.ts'
import { runStatuses } from '../../event/run-status.ts'
import { contentHash, identityHash } from '../sql/identity-hash.ts'
import { beginAddress, checkpointRest, eventFlags, eventRest, settleRest } from '../sql/rest.ts'
import type { AcceptItem, Commit, Owned, SettleItem } from '../store.ts'
import { bigintArray, doubleArray, integerArray, textArray, uuidArray } from './binary-arrays.ts'
import { keyBytes, keyUuid } from './key-bytes.ts'
import type { SqlValue } from './sql-literal.ts'

/** A value as the driver sends it: a `Buffer` goes as binary. */
export type Param = Buffer | string | number | boolean | null

/**
 * A commit as the parameters of `commit_1`, in its order.
 *
 * @param careful judges each accept in a savepoint of its own: what waits for another transaction is `in_flight`.
 */
export function commitParams(batch: Commit, now: number | null, careful: boolean): Param[] {
  const { accept = [], intervene = [], begin = [], checkpoint = [], settle = [], answer = [], reject = [] } = batch
  const emits = checkpoint.flatMap(({ emits: all = [] }, index) => all.map((item) => ({ item, of: index + 1 })))
  const accepts = emits.length === 0 ? accept : [...accept, ...emits.map(({ item }) => item)]
  const pairs = distinctPairs([...begin, ...checkpoint, ...settle, ...answer].map(({ owned }) => owned))
  return [
    now,
    careful,
    textArray(pairs.map(({ group }) => group)),
    integerArray(pairs.map(({ shard }) => shard)),
    accept.length,
    integerArray(emits.map(({ of }) => of)),
    isPlain(accept),
    accept.some(({ unclaimed }) => unclaimed),
    ...acceptParams(accepts),
    intervene.length === 0
      ? null
      : JSON.stringify(intervene.map((item) => ({ ...item, key: keyUuid(item.key), event: keyUuid(item.event) }))),
    ...fences(begin.map(({ owned, run, generation, attempt }) => ({ owned, run, generation, attempt }))),
    textArray(begin.map(({ step }) => (step ? stepText(step) : ''))),
    textArray(begin.map(beginAddress)),
    doubleArray(begin.map(({ at }) => at)),
    ...fences(checkpoint.map(({ owned, run, generation, attempt }) => ({ owned, run, generation, attempt }))),
    textArray(checkpoint.map(({ step }) => stepText(step))),
    textArray(checkpoint.map(({ value }) => value)),
    textArray(checkpoint.map(checkpointRest)),
    ...settleParams(settle),
    answer.length === 0
      ? null
      : JSON.stringify(
          answer.map(({ owned, intervention, outcome, reason }) => {
            return { ...owned, intervention: keyUuid(intervention), outcome, reason }
          }),
        ),
    reject.length === 0 ? null : JSON.stringify(reject),
  ]
}

/** Whether accepts may be judged together: by identity alone, and none is there twice. */
function isPlain(items: readonly AcceptItem[]): boolean {
  return (
    items.every(({ contentWindowMs }) => contentWindowMs === undefined) &&
    (items.length < 2 || new Set(items.map(({ key }) => key)).size === items.length)
  )
}

function acceptParams(items: readonly AcceptItem[]): Param[] {
  let byteCount = 0
  for (const { body } of items) byteCount += body.length
  const bytes = Buffer.allocUnsafe(byteCount)
  const from: number[] = []
  let at = 0
  for (const { body } of items) {
    from.push(at + 1)
    bytes.set(body, at)
    at += body.length
  }
  const more = items.flatMap((item, index) => moreOf(item, index))
  return [
    uuidArray(items.map(({ key }) => keyBytes(key))),
    integerArray(items.map(({ shard }) => shard)),
    uuidArray(items.map(identityBytes)),
    textArray(items.map(({ tenant }) => tenant)),
    textArray(items.map(({ source }) => source)),
    textArray(items.map(({ id }) => id)),
    textArray(items.map(({ type }) => type)),
    integerArray(items.map(({ fingerprints: [first] }) => first.keyId)),
    textArray(items.map(({ fingerprints: [first] }) => first.hash)),
    integerArray(items.map(({ registryVersion }) => registryVersion)),
    integerArray(
      items.map(
        ({ idSigned, unclaimed }) => (idSigned ? eventFlags.idSigned : 0) | (unclaimed ? eventFlags.unclaimed : 0),
      ),
    ),
    textArray(items.map(({ contentType }) => contentType)),
    textArray(items.map(({ orderKey }) => orderKey)),
    textArray(items.map(eventRest)),
    doubleArray(items.map(({ windowMs }) => windowMs)),
    doubleArray(items.map(({ contentWindowMs }) => contentWindowMs)),
    textArray(items.map(({ handedTo }) => handedTo?.group)),
    bigintArray(items.map(({ handedTo }) => handedTo?.epoch)),
    bytes,
    integerArray(from),
    integerArray(items.map(({ body }) => body.length)),
    more.length === 0 ? null : JSON.stringify(Object.fromEntries(more)),
  ]
}

/** One accept as the values of `accept_within_1`, after its time. */
export function acceptWithinValues(item: AcceptItem): SqlValue[] {
  const { fingerprints, contentWindowMs } = item
  const contents = contentWindowMs === undefined ? [] : fingerprints.map((one) => uuidText(contentHash(item, one)))
  return [
    { uuid: keyUuid(item.key) },
    item.shard,
    { uuid: Buffer.from(identityBytes(item)).toString('hex') },
    { uuids: contents },
    item.tenant,
    item.source,
    item.id,
    item.type,
    { integers: fingerprints.map(({ keyId }) => keyId) },
    { texts: fingerprints.map(({ hash }) => hash) },
    item.registryVersion,
    (item.idSigned ? eventFlags.idSigned : 0) | (item.unclaimed ? eventFlags.unclaimed : 0),
    item.contentType,
    item.orderKey ?? null,
    eventRest(item),
    item.windowMs ?? null,
    contentWindowMs ?? null,
    item.body,
  ]
}

/** What few accepts have: fingerprints under older keys, and what their content is known by. */
function moreOf(item: AcceptItem, index: number): [string, unknown][] {
  const { fingerprints, contentWindowMs } = item
  if (fingerprints.length === 1 && contentWindowMs === undefined) return []
  const more = {
    keys: fingerprints.map(({ keyId }) => keyId),
    hashes: fingerprints.map(({ hash }) => hash),
    contents: fingerprints.map((fingerprint) => uuidText(contentHash(item, fingerprint))),
  }
  return [[String(index), more]]
}

/** What the ledger knows an identity by: 128 bits of its hash, which no two share by accident. */
export function identityBytes(identity: Identity): Uint8Array {
  return Buffer.from(identityHash(identity), 'base64url').subarray(0, 16)
}

function uuidText(hash: string): string {
  return Buffer.from(hash, 'base64url').subarray(0, 16).toString('hex')
}

type Fence = Pick<NonNullable<Commit['begin']>[number], 'owned' | 'run' | 'generation' | 'attempt'>

function fences(items: readonly Fence[]): Param[] {
  return [
    textArray(items.map(({ owned }) => owned.group)),
    integerArray(items.map(({ owned }) => owned.shard)),
    bigintArray(items.map(({ owned }) => owned.epoch)),
    uuidArray(items.map(({ run }) => keyBytes(run.event))),
    textArray(items.map(({ run }) => run.tag)),
    integerArray(items.map(({ generation }) => generation)),
    integerArray(items.map(({ attempt }) => attempt)),
  ]
}

function settleParams(items: readonly SettleItem[]): Param[] {
  return [
    ...fences(items.map(({ owned, run, state }) => ({ owned, run, ...state }))),
    integerArray(items.map(({ state }) => state.turn)),
    integerArray(items.map(({ state }) => runStatuses.indexOf(state.status))),
    doubleArray(items.map(({ state }) => state.since)),
    doubleArray(items.map(({ state }) => state.dueAt)),
    bigintArray(items.map(({ state }) => state.seenIntervention)),
    doubleArray(items.map(({ attemptedAt }) => attemptedAt)),
    textArray(items.map(({ handler }) => handler)),
    textArray(items.map(({ state }) => state.handlerVersion)),
    textArray(items.map(({ state }) => state.result)),
    textArray(items.map(settleRest)),
    textArray(items.map(({ keepCheckpoints: keep }) => keptText(keep))),
    integerArray(aloneOf(items)),
  ]
}

/** 1 where no other settlement of the commit is of the same run: then its turn in the commit says nothing. */
function aloneOf(items: readonly SettleItem[]): number[] {
  if (items.length < 2) return items.map(() => 1)
  const counts = new Map<string, number>()
  for (const { run } of items) counts.set(runId(run), (counts.get(runId(run)) ?? 0) + 1)
  return items.map(({ run }) => (counts.get(runId(run)) === 1 ? 1 : 0))
}

/** What `settle_one_1` reads: null keeps all. */
function keptText(keep: SettleItem['keepCheckpoints']): string | null {
  if (keep === undefined || keep === 'all') return null
  return keep === 'none' ? 'none' : `before:${stepText(keep.before)}`
}

function distinctPairs(owned: readonly Owned[]): Owned[] {
  const pairs = new Map<string, Owned>()
  for (const pair of owned) pairs.set(`${pair.shard}/${pair.group}`, pair)
  return [...pairs.values()]
}

/** How many parameters `commit_1` takes. */
export const commitParamCount = commitParams({}, null, false).length
