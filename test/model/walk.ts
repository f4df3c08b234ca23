import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { mintEventKey } from '../../src/event/event-key.ts'
import type { RunState, StepAddress } from '../../src/event/run.ts'
import { runStatuses } from '../../src/event/run-status.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { memoryStore } from '../../src/store/memory/index.ts'
import { sqliteStore } from '../../src/store/sqlite/index.ts'
import type {
  AcceptItem,
  BeginItem,
  CheckpointItem,
  Commit,
  InterveneItem,
  Owned,
  SettleItem,
  Store,
} from '../../src/store/store.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** Two handlers of one group and one of another, so that pages must tell groups apart. */
const groups = [
  { group: 'g1', handlers: ['pay', 'mail'] },
  { group: 'g2', handlers: ['audit'] },
]
const [firstStep, secondStep] = [stepNamed('a'), stepNamed('b')]
const steps = [firstStep, secondStep, stepNamed('c')]
function stepNamed(name: string): StepAddress {
  return { kind: 'step', name, of: '' }
}

const verbs = ['signal', 'cancel', 'retry'] as const

/** Numbers that each store chooses by itself: compared by the order that they give, never by value. */
const own = new Set(['position', 'order', 'cursor', 'asked', 'seenIntervention', 'next'])

function scrubbed(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(scrubbed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, field]) => field !== undefined && !own.has(name))
  return Object.fromEntries(entries.map(([name, field]) => [name, scrubbed(field)]))
}

/** One of the two stores, with the numbers that it chose. */
interface Side {
  store: Store
  readonly positions: Map<string, number>
  readonly interventions: Map<string, number>
  readonly cursors: Map<string, { readonly cursor: number; readonly asked: number }>
}

/** What a walk may do next, each as often as it occurs here. */
export const moves = [
  ...Array<'commit'>(11).fill('commit'),
  ...['tail', 'tail', 'read', 'read', 'read', 'beat', 'beat', 'register', 'purge', 'reopen', 'advance'],
] as const

/** One command of a walk: its details come from its own seed, so that dropping others while shrinking does not change it. */
export interface Move {
  readonly kind: (typeof moves)[number]
  readonly seed: number
}

/** The same commands to a SQLite store and to the memory store: answers and state must be the same after each. */
export class Walk {
  readonly clock = new FakeClock()
  readonly sides: Side[] = []
  readonly path: string
  readonly folder = mkdtempSync(join(tmpdir(), 'hapax-model-'))
  random = seededRandom(0)
  asks = 0
  readonly accepted: AcceptItem[] = []
  readonly handed = new Set<string>()
  readonly asked: InterveneItem[] = []
  readonly past: Commit[] = []
  readonly states = new Map<string, RunState>()
  owned: Owned[] = []
  stale: Owned[] = []
  tags: string[] = []
  version = 0

  constructor() {
    this.path = join(this.folder, 'hapax.db')
  }

  fraction(): number {
    return this.random.fraction()
  }

  async open(): Promise<void> {
    const side = (store: Store): Side => ({ store, positions: new Map(), interventions: new Map(), cursors: new Map() })
    this.sides.push(side(memoryStore({ clock: this.clock, shards: 4 })), side(await this.openSqlite()))
    await this.register()
    for (let beat = 0; beat < 4; beat++) await this.beat()
  }

  async close(): Promise<void> {
    await Promise.all(this.sides.map(({ store }) => store.close()))
    rmSync(this.folder, { recursive: true, force: true })
  }

  openSqlite(): Promise<Store> {
    const ledger = { sealEntries: 9, mergeCount: 2, sliceRows: 5 }
    return sqliteStore({ path: this.path, clock: this.clock, shards: 4, ledger })
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.fraction() * items.length)]
  }

  chance(of: number): boolean {
    return this.fraction() < of
  }

  /** Asks both the same, each with its own numbers, and compares. */
  async both(what: string, ask: (side: Side) => Promise<unknown>): Promise<unknown[]> {
    const answers: unknown[] = []
    for (const side of this.sides) {
      answers.push(
        await ask(side).catch((error: unknown) => ({ code: error instanceof Error ? error.message : error })),
      )
    }
    expect({ what, answer: scrubbed(answers[1]) }).toEqual({ what, answer: scrubbed(answers[0]) })
    return answers
  }

  async register(): Promise<void> {
    for (const { group, handlers } of groups) {
      const some = handlers.filter(() => this.chance(0.8))
      const declared = some.map((name) => ({
        name,
        formerly: [],
        sources: ['s1', ...(this.chance(0.3) ? ['s2'] : [])],
        types: [this.chance(0.8) ? '*' : 'paid'],
      }))
      const node = `${group}-n1`
      await this.both('register', ({ store }) => store.register(group, node, declared))
    }
    const registry = await this.sides[0]?.store.registry()
    this.version = registry?.version ?? 0
    this.tags = [...new Set(registry?.handlers.map(({ tag }) => tag))]
  }

  async beat(): Promise<void> {
    const { group, handlers } = this.pick(groups) ?? { group: 'g1', handlers: [] }
    const node = `${group}-n${1 + Math.floor(this.fraction() * 2)}`
    const release = this.owned.filter((one) => one.group === group && this.chance(0.15))
    const marks = this.owned.filter((one) => one.group === group && this.chance(0.2))
    const key = this.pick(this.accepted)?.key ?? ''
    const owns = this.chance(0.9)
    const [answer] = await this.both('own', ({ store, positions }) => {
      const lowMarks = marks.map((one) => ({ ...one, position: positions.get(key) ?? 0 }))
      return store.own({ node, group, owns, handlers, leaseMs: 8_000, release, lowMarks })
    })
    const now = (answer as { readonly owned?: readonly Owned[] }).owned ?? []
    for (const { group: of, shard, epoch } of now) {
      const before = this.owned.find((one) => one.group === of && one.shard === shard)
      if (before && before.epoch !== epoch) this.stale.push(before)
      this.owned = [...this.owned.filter((one) => one.group !== of || one.shard !== shard), { group: of, shard, epoch }]
    }
  }

  pair(shard: number, group: string): Owned {
    const pair = this.owned.find((one) => one.shard === shard && one.group === group)
    return (this.chance(0.9) ? pair : this.pick(this.stale)) ?? { group, shard, epoch: 0 }
  }

  newAccept(): AcceptItem {
    const shard = Math.floor(this.fraction() * 4)
    const unsigned = this.chance(0.2)
    const handedTo = this.chance(0.3) ? this.owned.find((one) => one.shard === shard) : undefined
    const item: AcceptItem = {
      key: mintEventKey(this.clock.now(), shard, this.random),
      shard,
      tenant: this.chance(0.9) ? 't1' : 't2',
      source: this.chance(0.8) ? 's1' : 's2',
      id: `id ${Math.floor(this.fraction() * 60)}`,
      idSigned: !unsigned,
      type: this.chance(0.7) ? 'paid' : 'refunded',
      subject: this.chance(0.2) ? 'subject' : undefined,
      time: this.chance(0.2) ? '2026-01-01T00:00:00Z' : undefined,
      contentType: 'application/json',
      orderKey: this.chance(0.3) ? `order ${Math.floor(this.fraction() * 3)}` : undefined,
      registryVersion: this.version,
      headers: this.chance(0.3) ? { 'x-a': 'b' } : {},
      fingerprints: [{ keyId: 1, hash: `hash ${Math.floor(this.fraction() * 3)}` }],
      body: this.random.bytes(5),
      unclaimed: this.chance(0.1),
      ...(this.chance(0.1) ? { windowMs: 20_000 } : {}),
      ...(unsigned ? { contentWindowMs: 15_000 } : {}),
      ...(handedTo ? { handedTo } : {}),
    }
    if (handedTo) this.handed.add(item.key)
    return item
  }

  /** The state that some settlement brings: mostly the next turn, at times one that must be refused. */
  nextState(key: string, tag: string): RunState {
    const before = this.states.get(`${key} ${tag}`)
    const opens = before && this.chance(0.25)
    const status = this.pick(runStatuses.filter((one) => one !== 'running')) ?? 'ready'
    const again = this.chance(0.1)
    const due = ['scheduled', 'waiting', 'parked', 'ready'].includes(status) && this.chance(0.7)
    return {
      status,
      reason: this.chance(0.5) ? 'retry' : undefined,
      since: this.clock.now() + 0.5,
      generation: (before?.generation ?? 1) + (opens ? 1 : 0),
      turn: opens ? 1 : (before?.turn ?? 0) + (again ? 0 : 1) || 1,
      attempt: Math.floor(this.fraction() * 4),
      failures: Math.floor(this.fraction() * 2),
      failuresInAll: Math.floor(this.fraction() * 2),
      losses: 0,
      dueAt: due ? this.clock.now() + this.fraction() * 20_000 : undefined,
      waitingFor: undefined,
      result: status === 'completed' ? '{"ok":true}' : undefined,
      error: status === 'dead' ? { code: 'E', message: 'no' } : undefined,
      undoBegun: false,
      keySeries: 0,
      handlerVersion: this.chance(0.2) ? 'v2' : undefined,
      seenIntervention: 0,
      openedAt: undefined,
    }
  }

  async commit(): Promise<void> {
    const some = <Item>(most: number, make: () => Item): Item[] =>
      Array.from({ length: Math.floor(this.fraction() * (most + 1)) }, make)
    const accept = some(3, () => (this.chance(0.1) ? (this.pick(this.accepted) ?? this.newAccept()) : this.newAccept()))
    const intervene = some(1, () => this.newIntervene())
    type Draft = { readonly owned: Owned; readonly key: string; readonly tag: string }
    const draft = (): Draft | undefined => {
      const event = this.pick(this.accepted)
      const tag = this.pick(this.tags)
      const { group } = this.pick(groups) ?? { group: 'g1' }
      return event && tag !== undefined ? { owned: this.pair(event.shard, group), key: event.key, tag } : undefined
    }
    const drafts = (most: number) => some(most, draft).flatMap((one) => one ?? [])
    const begins = drafts(1).map((one) => ({
      ...one,
      attempt: this.pick([1, 2]) ?? 1,
      step: this.pick([undefined, ...steps]),
    }))
    const checkpoints = drafts(2).map((one) => ({
      ...one,
      attempt: this.pick([1, 2]) ?? 1,
      step: this.pick(steps) ?? firstStep,
      generation: this.states.get(`${one.key} ${one.tag}`)?.generation ?? 1,
      emits: this.chance(0.2) ? [this.newAccept()] : undefined,
    }))
    const settles = drafts(3).map((one) => ({
      ...one,
      state: this.nextState(one.key, one.tag),
      sees: this.chance(0.8),
      keep: this.pick([undefined, 'all', 'none', 'before'] as const),
      tried: this.chance(0.2) ? [{ step: this.pick(steps) ?? firstStep, firstTriedAt: 1, doubt: true }] : undefined,
    }))
    const answered = this.chance(0.3) ? this.pick(this.asked) : undefined
    const answerPair = this.pair(0, 'g1')
    const at = this.clock.now()
    const rejects = this.chance(0.1)
    const answers = await this.both('commit', async (side) => {
      const run = ({ key, tag }: Draft) => ({ event: key, position: side.positions.get(key) ?? 0, tag })
      const batch: Commit = {
        accept,
        intervene,
        begin: begins.map((one): BeginItem => {
          const { owned, attempt, step } = one
          return { owned, run: run(one), generation: 1, attempt, at, ...(step ? { step } : {}) }
        }),
        checkpoint: checkpoints.map((one): CheckpointItem => {
          const { owned, attempt, step, generation, emits } = one
          const times = { startedAt: at, endedAt: at, firstTriedAt: at }
          return {
            owned,
            run: run(one),
            generation,
            attempt,
            step,
            value: `${attempt}`,
            ...times,
            ...(emits ? { emits } : {}),
          }
        }),
        settle: settles.map((one): SettleItem => {
          const { owned, state, keep, tried, sees } = one
          const seenIntervention = sees ? Math.max(0, ...side.interventions.values()) : 0
          const keepCheckpoints = keep === 'before' ? { before: secondStep } : keep
          return {
            owned,
            run: run(one),
            state: { ...state, seenIntervention },
            handler: 'h',
            ...(tried ? { tried } : {}),
            ...(keepCheckpoints ? { keepCheckpoints } : {}),
          }
        }),
        answer: answered ? [{ owned: answerPair, intervention: answered.key, outcome: 'applied' }] : [],
        reject: rejects ? [{ source: 's1', code: 'signature_invalid', count: 2 }] : [],
      }
      const result = await side.store.commit(batch)
      for (const [index, item] of accept.entries()) {
        const answer = result.accept[index]
        if (answer?.outcome === 'accepted' && answer.position) side.positions.set(item.key, answer.position)
      }
      for (const [index, item] of intervene.entries()) {
        const answer = result.intervene[index]
        if (answer?.outcome === 'written') side.interventions.set(item.key, answer.position)
      }
      // Asked again at once, whatever the answer was: the same again gets the same.
      if (Math.floor(this.asks++ / 2) % 7 === 0) {
        const again = await side.store.commit({ accept, checkpoint: batch.checkpoint ?? [] })
        expect(scrubbed(again)).toMatchObject({ accept: scrubbed(result.accept) as object })
      }
      return result
    })
    const result = answers[0] as Awaited<ReturnType<Store['commit']>>
    this.accepted.push(...accept.filter((_, index) => result.accept[index]?.outcome === 'accepted'))
    this.asked.push(...intervene.filter((_, index) => result.intervene[index]?.outcome === 'written'))
    for (const [index, { key, tag, state }] of settles.entries()) {
      if (result.settle[index] === 'settled') this.states.set(`${key} ${tag}`, state)
    }
  }

  newIntervene(): InterveneItem {
    const event = this.pick(this.accepted)?.key ?? mintEventKey(this.clock.now(), 0, this.random)
    return {
      key: mintEventKey(this.clock.now(), 0, this.random),
      event,
      tag: this.pick(this.tags) ?? '00000000',
      verb: this.pick(verbs) ?? 'signal',
      detail: '{}',
      actor: 'me',
      ...(this.chance(0.4) ? { id: `once ${Math.floor(this.fraction() * 3)}` } : {}),
      ...(this.chance(0.3) ? { name: 'approved', reason: 'because' } : {}),
    }
  }

  async tail(): Promise<void> {
    const cursors = this.owned.filter(() => this.chance(0.6))
    const fresh = this.chance(0.15)
    await this.both('tail', async (side) => {
      const asked = cursors.map((one) => {
        const after = fresh ? undefined : side.cursors.get(`${one.group} ${one.shard} ${one.epoch}`)
        return { ...one, ...after }
      })
      const pages = await side.store.tail({ cursors: asked, limit: 100_000 })
      for (const { group, shard, epoch, cursor, asked: given } of pages) {
        side.cursors.set(`${group} ${shard} ${epoch}`, { cursor, asked: given })
      }
      return pages.map((page) => ({
        ...page,
        events: page.events
          // What was handed over may be left out, and may come.
          .filter(({ event }) => !this.handed.has(event.key))
          .map(({ event, runs }) => ({ event, runs: [...runs].sort((one, other) => (one.tag < other.tag ? -1 : 1)) })),
        standing: [...page.standing].sort((one, other) => (one.event + one.tag < other.event + other.tag ? -1 : 1)),
      }))
    })
  }

  async read(): Promise<void> {
    const event = this.pick(this.accepted)
    if (!event) return
    const tag = this.pick(this.tags) ?? ''
    await this.both('event', ({ store }) => store.event(event.key))
    await this.both('run', ({ store }) => store.run(event.key, tag))
    await this.both('identity', ({ store }) => store.identity(event))
    await this.both('history', ({ store }) => store.history(event.key))
    await this.both('due', ({ store }) => store.due(this.owned, this.clock.now(), 5))
    await this.both('counts', ({ store }) => store.counts())
    const unclaimed = this.pick([undefined, true, false])
    const query = {
      limit: 4,
      ...(this.chance(0.5) ? { tenant: 't1', type: 'paid' } : {}),
      ...(unclaimed === undefined ? {} : { unclaimed }),
    }
    const statuses = this.chance(0.5) ? [this.pick(runStatuses) ?? 'dead'] : undefined
    await this.both('searchEvents', ({ store }) => allPages((cursor) => store.searchEvents({ ...query, ...cursor })))
    await this.both('searchRuns', ({ store }) =>
      allPages((cursor) => store.searchRuns({ limit: 3, ...(statuses ? { statuses } : {}), ...cursor })),
    )
  }

  async purge(): Promise<void> {
    const before = this.clock.now() - 60_000
    const request = {
      payloadsBefore: before,
      journalBefore: before - 30_000,
      identitiesBefore: before - 60_000,
      rows: 10_000,
    }
    await this.both('purge', ({ store }) => store.purge(request))
  }

  async step({ kind, seed }: Move): Promise<void> {
    this.random = seededRandom(seed)
    if (kind === 'advance') await this.clock.advance(Math.floor(this.fraction() * 9_000))
    else await this[kind]()
  }

  async reopen(): Promise<void> {
    const side = this.sides[1]
    if (!side) return
    await side.store.close()
    side.store = await this.openSqlite()
  }
}

async function allPages(
  page: (cursor: { cursor?: string }) => Promise<{ next: string | undefined }>,
): Promise<unknown[]> {
  const pages: unknown[] = []
  let next: string | undefined
  do {
    const found = await page(next === undefined ? {} : { cursor: next })
    pages.push(found)
    next = found.next
  } while (next !== undefined)
  return pages
}
