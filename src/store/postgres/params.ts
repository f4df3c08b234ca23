import type { Identity } from '../../event/event.ts'
import type { EventKey } from '../../event/event-key.ts'
import { type RunAddress, runId, stepText } from '../../event/run.ts'
import { runStatuses } from '../../event/run-status.ts'
import { contentHash, identityDigest, identityHash } from '../sql/identity-hash.ts'
import { beginAddress, checkpointRest, eventFlags, eventRest, settleRest } from '../sql/rest.ts'
import type { AcceptItem, BeginItem, CheckpointItem, Commit, Owned, SettleItem } from '../store.ts'
import { bigintArray, integerArray, keyArray, textArray } from './binary-arrays.ts'
import { ItemRows } from './item-rows.ts'
import { type ItemType, type ItemTypeOids, itemTypes } from './item-types.ts'
import { keyUuid } from './key-bytes.ts'
import { type FilteredGenerations, noGeneration } from './ledger-filters.ts'
import type { SqlValue } from './sql-literal.ts'

/** A value as the driver sends it: a `Buffer` goes as binary. */
export type Param = Buffer | string | number | boolean | null

/** How a commit's items are judged: what was in the way of an earlier try. */
export interface Judging {
  /** Each accept in a savepoint of its own: what waits for another transaction is `in_flight`. */
  readonly careful: boolean
  /** Rows may be there that a look did not find: another transaction wrote one meanwhile. */
  readonly contended: boolean
}

/**
 * A commit as the parameters of `commit_2`, in its order.
 *
 * @param filtered what this node knows by heart of the ledger
 */
export function commitParams(
  batch: Commit,
  now: number | null,
  judging: Judging,
  types: ItemTypeOids,
  filtered?: FilteredGenerations,
): Param[] {
  const { accept = [], intervene = [], begin = [], checkpoint = [], settle = [], answer = [], reject = [] } = batch
  const emits = checkpoint.flatMap(({ emits: all = [] }, index) => all.map((item) => ({ item, of: index + 1 })))
  const accepts = emits.length === 0 ? accept : [...accept, ...emits.map(({ item }) => item)]
  const digests = accept.map(identityDigest)
  const pairs = distinctPairs(begin, checkpoint, settle, answer)
  const list = <Item>(
    type: ItemType,
    items: readonly Item[],
    put: (rows: ItemRows, item: Item, index: number) => void,
  ) => (items.length === 0 ? null : packers[type].array(types[type], columnCounts[type], items, put))
  return [
    now,
    judging.careful,
    judging.contended,
    textArray(pairs.map(({ group }) => group)),
    integerArray(pairs.map(({ shard }) => shard)),
    bigintArray(pairs.map(({ epoch }) => epoch)),
    accept.length,
    integerArray(emits.map(({ of }) => of)),
    isPlain(accept),
    accept.some(({ unclaimed }) => unclaimed),
    list('accept_item_1', accepts, (row, item, index) => putAccept(row, item, digests[index] ?? identityDigest(item))),
    moreOf(accepts),
    intervene.length === 0
      ? null
      : JSON.stringify(intervene.map((item) => ({ ...item, key: keyUuid(item.key), event: keyUuid(item.event) }))),
    list('begin_item_1', begin, putBegin),
    list('checkpoint_item_1', checkpoint, putCheckpoint),
    list('settle_item_1', settle, settlePutter(settle)),
    answer.length === 0
      ? null
      : JSON.stringify(
          answer.map(({ owned, intervention, outcome, reason }) => {
            return { ...owned, intervention: keyUuid(intervention), outcome, reason }
          }),
        ),
    reject.length === 0 ? null : JSON.stringify(reject),
    ...decidedKeys(begin, checkpoint, settle),
    ...filteredParams(filtered, digests),
  ]
}

/** How many parameters `commit_2` takes. */
export const commitParamCount = 25

const packers: Readonly<Record<ItemType, ItemRows>> = {
  accept_item_1: new ItemRows(),
  begin_item_1: new ItemRows(),
  checkpoint_item_1: new ItemRows(),
  settle_item_1: new ItemRows(),
}
const columnCounts: Readonly<Record<ItemType, number>> = {
  accept_item_1: Object.keys(itemTypes.accept_item_1).length,
  begin_item_1: Object.keys(itemTypes.begin_item_1).length,
  checkpoint_item_1: Object.keys(itemTypes.checkpoint_item_1).length,
  settle_item_1: Object.keys(itemTypes.settle_item_1).length,
}

/** Keys of the events that decisions are about, with the least and the greatest: ranges of the journal outside are not opened. */
function decidedKeys(...lists: readonly (readonly { readonly run: RunAddress }[])[]): [Param, Param, Param] {
  const keys = new Set<EventKey>()
  for (const items of lists) for (const { run } of items) keys.add(run.event)
  let [least, greatest] = ['', '']
  for (const key of keys) {
    if (least === '' || key < least) least = key
    if (key > greatest) greatest = key
  }
  return least === '' ? [null, null, null] : [keyArray(keys), keyUuid(least), keyUuid(greatest)]
}

/** Which generations need not be opened, and those that an identity may be in, where it may be in one. */
function filteredParams(filtered: FilteredGenerations | undefined, digests: readonly string[]): Param[] {
  if (!filtered || digests.length === 0) return [null, null, null, null]
  const { from, to, token } = filtered
  const suspected = digests.map((digest) => filtered.suspectedOf(digest))
  return [from, to, token, suspected.every((one) => one === noGeneration) ? null : integerArray(suspected)]
}

/** Whether accepts may be judged together: by identity alone, and none is there twice. */
function isPlain(items: readonly AcceptItem[]): boolean {
  return (
    items.every(({ contentWindowMs }) => contentWindowMs === undefined) &&
    (items.length < 2 || new Set(items.map(({ key }) => key)).size === items.length)
  )
}

function putAccept(row: ItemRows, item: AcceptItem, digest: string): void {
  const [fingerprint] = item.fingerprints
  row.key(item.key)
  row.integer(item.shard)
  row.digest(digest)
  row.integer(item.registryVersion)
  row.integer(fingerprint.keyId)
  row.integer(flagsOf(item))
  row.bigint(item.handedTo?.epoch)
  row.double(item.windowMs)
  row.double(item.contentWindowMs)
  row.text(item.tenant)
  row.text(item.source)
  row.text(item.id)
  row.text(item.type)
  row.text(fingerprint.hash)
  row.text(item.contentType)
  row.text(item.handedTo?.group)
  row.text(item.orderKey)
  row.text(eventRest(item))
  row.bytes(item.body)
}

function flagsOf({ idSigned, unclaimed }: AcceptItem): number {
  return (idSigned ? eventFlags.idSigned : 0) | (unclaimed ? eventFlags.unclaimed : 0)
}

/** One accept as the values of `accept_within_1`, after its time. */
export function acceptWithinValues(item: AcceptItem): SqlValue[] {
  const { fingerprints, contentWindowMs } = item
  const contents = contentWindowMs === undefined ? [] : fingerprints.map((one) => uuidText(contentHash(item, one)))
  return [
    { uuid: keyUuid(item.key) },
    item.shard,
    { uuid: identityBytes(item).toString('hex') },
    { uuids: contents },
    item.tenant,
    item.source,
    item.id,
    item.type,
    { integers: fingerprints.map(({ keyId }) => keyId) },
    { texts: fingerprints.map(({ hash }) => hash) },
    item.registryVersion,
    flagsOf(item),
    item.contentType,
    item.orderKey ?? null,
    eventRest(item),
    item.windowMs ?? null,
    contentWindowMs ?? null,
    item.body,
  ]
}

/** By place, what few accepts have: fingerprints under older keys, and what their content is known by. */
function moreOf(items: readonly AcceptItem[]): string | null {
  const more: Record<string, unknown> = {}
  let has = false
  for (const [index, item] of items.entries()) {
    const { fingerprints, contentWindowMs } = item
    if (fingerprints.length === 1 && contentWindowMs === undefined) continue
    has = true
    more[String(index)] = {
      keys: fingerprints.map(({ keyId }) => keyId),
      hashes: fingerprints.map(({ hash }) => hash),
      contents: fingerprints.map((fingerprint) => uuidText(contentHash(item, fingerprint))),
    }
  }
  return has ? JSON.stringify(more) : null
}

/** What the ledger knows an identity by: 128 bits of its hash, which no two share by accident. */
export function identityBytes(identity: Identity): Buffer {
  return Buffer.from(identityHash(identity), 'base64url').subarray(0, 16)
}

function uuidText(hash: string): string {
  return Buffer.from(hash, 'base64url').subarray(0, 16).toString('hex')
}

type Fenced = Pick<BeginItem, 'owned' | 'run' | 'generation' | 'attempt'>

function putFence(row: ItemRows, { owned, run, generation, attempt }: Fenced): void {
  row.text(owned.group)
  row.integer(owned.shard)
  row.bigint(owned.epoch)
  row.key(run.event)
  row.text(run.tag)
  row.integer(generation)
  row.integer(attempt)
}

function putBegin(row: ItemRows, item: BeginItem): void {
  putFence(row, item)
  row.text(item.step ? stepText(item.step) : '')
  row.text(beginAddress(item))
  row.double(item.at)
}

function putCheckpoint(row: ItemRows, item: CheckpointItem): void {
  putFence(row, item)
  row.text(stepText(item.step))
  row.text(item.value)
  row.text(checkpointRest(item))
}

function settlePutter(items: readonly SettleItem[]): (row: ItemRows, item: SettleItem, index: number) => void {
  const alone = aloneOf(items)
  return (row, item, index) => {
    const { owned, run, state } = item
    putFence(row, { owned, run, generation: state.generation, attempt: state.attempt })
    row.integer(state.turn)
    row.integer(runStatuses.indexOf(state.status))
    row.double(state.since)
    row.double(state.dueAt)
    row.bigint(state.seenIntervention)
    row.double(item.attemptedAt)
    row.text(item.handler)
    row.text(state.handlerVersion)
    row.text(state.result)
    row.text(settleRest(item))
    row.text(keptText(item.keepCheckpoints))
    row.boolean(alone[index] ?? false)
  }
}

/** Whether no other settlement of the commit is of the same run: then its turn in the commit says nothing. */
function aloneOf(items: readonly SettleItem[]): boolean[] {
  if (new Set(items.map(({ run }) => run.event)).size === items.length) return items.map(() => true)
  const counts = new Map<string, number>()
  for (const { run } of items) counts.set(runId(run), (counts.get(runId(run)) ?? 0) + 1)
  return items.map(({ run }) => counts.get(runId(run)) === 1)
}

/** What `settle_one_1` reads: null keeps all. */
function keptText(keep: SettleItem['keepCheckpoints']): string | null {
  if (keep === undefined || keep === 'all') return null
  return keep === 'none' ? 'none' : `before:${stepText(keep.before)}`
}

/** In the order of the table's key, in which `commit_2` reads and compares them; a node has one group. */
function distinctPairs(...lists: readonly (readonly { readonly owned: Owned }[])[]): Owned[] {
  // Nearly all of a pair name it by one object: to name each in text left 440 bytes of garbage of a run of three steps.
  const objects = new Set<Owned>()
  for (const list of lists) for (const { owned } of list) objects.add(owned)
  const pairs = new Map<string, Owned>()
  for (const owned of objects) pairs.set(`${owned.shard}/${owned.epoch}/${owned.group}`, owned)
  return [...pairs.values()].sort((one, other) =>
    one.group === other.group ? one.shard - other.shard : one.group < other.group ? -1 : 1,
  )
}
