import assert from 'node:assert/strict'
import type { EventRecord } from '../../event/event.ts'
import { mintEventKey } from '../../event/event-key.ts'
import { handlerTag } from '../../event/handler-record.ts'
import type { RunAddress, RunState, StepAddress } from '../../event/run.ts'
import { type Random, seededRandom } from '../../kit/random.ts'
import type {
  AcceptAnswer,
  AcceptItem,
  BeginItem,
  CheckpointAnswer,
  CheckpointItem,
  FencedAnswer,
  Grant,
  InterveneAnswer,
  InterveneItem,
  NodeBeat,
  Owned,
  OwnedCursor,
  Ownership,
  RunRecord,
  SettleAnswer,
  SettleItem,
  Store,
  TailPage,
} from '../../store/store.ts'
import type { ContractWorld } from './contract-case.ts'

/** Any wall time: keys carry it, no promise rests on it. */
const mintedAtMs = 1_764_000_000_000

/** Where a case begins: group `pay` with handler `settle` on source `shop`, and node `one` that owns every shard. */
export class Scene {
  readonly world: ContractWorld
  readonly random: Random
  readonly group = 'pay'
  readonly tag = handlerTag('pay', 'settle')
  store: Store
  registryVersion = 0
  #pairs = new Map<string, Grant>()
  #ids = 0

  private constructor(world: ContractWorld, store: Store) {
    this.world = world
    this.store = store
    this.random = seededRandom(world.seed)
  }

  static async open(world: ContractWorld): Promise<Scene> {
    const store = await world.open()
    await store.migrate()
    const scene = new Scene(world, store)
    const registry = await store.register(scene.group, 'one', [
      { name: 'settle', formerly: [], sources: ['shop'], types: ['*'] },
    ])
    scene.registryVersion = registry.version
    await scene.beat('one')
    return scene
  }

  // --- items

  /** A new accept; distinct in key and id unless told. */
  item(over: Partial<AcceptItem> = {}): AcceptItem {
    this.#ids++
    const shard = over.shard ?? 0
    return {
      key: mintEventKey(mintedAtMs + this.#ids, shard, this.random),
      shard,
      tenant: 'default',
      source: 'shop',
      id: `order-${this.#ids}`,
      idSigned: true,
      type: 'order.paid',
      subject: undefined,
      time: undefined,
      contentType: 'application/json',
      orderKey: undefined,
      registryVersion: this.registryVersion,
      headers: {},
      fingerprints: [{ keyId: 1, hash: `content-${this.#ids}` }],
      body: new TextEncoder().encode(`{"total":${this.#ids}}`),
      unclaimed: false,
      ...over,
    }
  }

  /** An item of the same identity and content under a new key: the sender sends again. */
  again(item: AcceptItem, over: Partial<AcceptItem> = {}): AcceptItem {
    return { ...item, key: this.item({ shard: item.shard }).key, ...over }
  }

  /** A state of generation 1, turn 1: completed unless told. */
  state(over: Partial<RunState> = {}): RunState {
    return {
      status: 'completed',
      reason: undefined,
      since: 5_000,
      generation: 1,
      turn: 1,
      attempt: 1,
      failures: 0,
      failuresInAll: 0,
      losses: 0,
      dueAt: undefined,
      waitingFor: undefined,
      result: undefined,
      error: undefined,
      undoBegun: false,
      keySeries: 0,
      handlerVersion: undefined,
      seenIntervention: 0,
      openedAt: undefined,
      ...over,
    }
  }

  settlement(event: EventRecord, state: Partial<RunState> = {}, over: Partial<SettleItem> = {}): SettleItem {
    return {
      owned: this.owned(event.shard),
      run: this.run(event),
      state: this.state(state),
      handler: 'settle',
      ...over,
    }
  }

  result(event: EventRecord, name: string, over: Partial<CheckpointItem> = {}): CheckpointItem {
    return {
      owned: this.owned(event.shard),
      run: this.run(event),
      generation: 1,
      attempt: 1,
      step: step(name),
      value: '"done"',
      startedAt: 1_000,
      endedAt: 2_000,
      firstTriedAt: 1_000,
      ...over,
    }
  }

  begun(event: EventRecord, over: Partial<BeginItem> = {}): BeginItem {
    return { owned: this.owned(event.shard), run: this.run(event), generation: 1, attempt: 1, at: 1_500, ...over }
  }

  ask(event: EventRecord, over: Partial<InterveneItem> = {}): InterveneItem {
    return {
      key: this.item({ shard: event.shard }).key,
      event: event.key,
      tag: this.tag,
      verb: 'cancel',
      detail: '{}',
      actor: 'ann',
      ...over,
    }
  }

  run(event: EventRecord): RunAddress {
    return { event: event.key, position: event.position, tag: this.tag }
  }

  // --- asking

  async tryAccept(item: AcceptItem, store = this.store): Promise<AcceptAnswer> {
    const { accept } = await store.commit({ accept: [item] })
    return only(accept)
  }

  /** Accepts a new event, and reads it back. */
  async accept(over: Partial<AcceptItem> = {}, store = this.store): Promise<EventRecord> {
    const item = this.item(over)
    assert.equal((await this.tryAccept(item, store)).outcome, 'accepted')
    return defined(await store.event(item.key))
  }

  async settle(item: SettleItem, store = this.store): Promise<SettleAnswer> {
    return only((await store.commit({ settle: [item] })).settle)
  }

  async checkpoint(item: CheckpointItem, store = this.store): Promise<CheckpointAnswer> {
    return only((await store.commit({ checkpoint: [item] })).checkpoint)
  }

  async begin(item: BeginItem, store = this.store): Promise<FencedAnswer> {
    return only((await store.commit({ begin: [item] })).begin)
  }

  async intervene(item: InterveneItem, store = this.store): Promise<InterveneAnswer> {
    return only((await store.commit({ intervene: [item] })).intervene)
  }

  /** Intervenes, and answers the position. */
  async asked(item: InterveneItem): Promise<number> {
    const answer = await this.intervene(item)
    assert.equal(answer.outcome, 'written')
    return answer.outcome === 'written' ? answer.position : 0
  }

  async answer(item: InterveneItem, owned: Owned, outcome: 'applied' | 'refused' = 'applied', reason?: string) {
    const answer = { owned, intervention: item.key, outcome, ...(reason === undefined ? {} : { reason }) }
    return only((await this.store.commit({ answer: [answer] })).answer)
  }

  async record(event: EventRecord, store = this.store): Promise<RunRecord> {
    return defined(await store.run(event.key, this.tag))
  }

  async tail(owned: OwnedCursor, limit = 100, store = this.store): Promise<TailPage> {
    return only(await store.tail({ cursors: [owned], limit }))
  }

  // --- nodes

  /** A node's beat; what the store answers becomes what {@link owned} knows, where it is of this node. */
  async beat(node: string, over: Partial<NodeBeat> = {}, store = this.store): Promise<Ownership> {
    const answer = await store.own({
      node,
      group: this.group,
      owns: true,
      handlers: ['settle'],
      leaseMs: this.world.leaseMs,
      release: [],
      lowMarks: [],
      ...over,
    })
    for (const grant of answer.owned) this.#pairs.set(`${grant.group}/${grant.shard}`, grant)
    return answer
  }

  /** The pair of a shard, under the epoch of the last grant seen. */
  owned(shard: number, group = this.group): Owned {
    const { epoch } = defined(this.#pairs.get(`${group}/${shard}`))
    return { group, shard, epoch }
  }

  /** Every lease runs out; then another node takes over all shards. Answers its handle and what the old node had. */
  async takeover(node = 'two'): Promise<{ readonly store: Store; readonly before: readonly Owned[] }> {
    const before = [...this.#pairs.values()].map(({ group, shard, epoch }) => ({ group, shard, epoch }))
    await this.world.advance(this.world.leaseMs + 1)
    const store = await this.world.open()
    const { owned } = await this.beat(node, {}, store)
    assert.equal(owned.length, this.world.shards)
    return { store, before }
  }
}

/** A step's address. */
export function step(name: string, of = ''): StepAddress {
  return { kind: 'step', name, of }
}

/** The one element of a list. */
export function only<Item>(items: readonly Item[]): Item {
  assert.equal(items.length, 1)
  const [item] = items
  return defined(item)
}

/** The value that must be there. */
export function defined<Value>(value: Value | undefined): Value {
  if (value === undefined) assert.fail('expected a value, found undefined')
  return value
}

/** Text of a body. */
export function textOfBody(event: EventRecord): string {
  return new TextDecoder().decode(defined(event.body))
}
