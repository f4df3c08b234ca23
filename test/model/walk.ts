import { seededRandom } from '../../src/kit/random.ts'
import { memoryStore } from '../../src/store/memory/index.ts'
import type {
  BeginItem,
  CheckpointItem,
  Commit,
  CommitResult,
  Owned,
  OwnedCursor,
  PurgeResult,
  SettleItem,
  TailPage,
} from '../../src/store/store.ts'
import { Draws, firstStep, groups, longestWindowMs, scopes, secondStep, shards, steps } from './draws.ts'
import type { ModelPlace, ModelStore } from './model-stores.ts'
import { expectSame, newSide, type Side } from './side.ts'
import { allDue, sortedPage, wholeState } from './whole-state.ts'

/** What a walk may do next, each as often as it occurs here. */
export const moves = [
  ...Array<'commit'>(11).fill('commit'),
  ...[
    'tail',
    'tail',
    'pages',
    'due',
    'beat',
    'beat',
    'register',
    'setting',
    'purge',
    'purge',
    'reopen',
    'advance',
    'advance',
  ],
] as const

/** One command of a walk: its details come from its own seed, so that dropping others while shrinking does not change it. */
export interface Move {
  readonly kind: (typeof moves)[number]
  readonly seed: number
}

/** What a decision is about, before each store's own numbers are in it. */
interface Draft {
  readonly owned: Owned
  readonly key: string
  readonly tag: string
}

/** The same commands to a store and to the memory store: answers and whole state must be the same after each. */
export class Walk extends Draws {
  readonly sides: Side[] = []
  readonly startedAt = this.clock.now()
  readonly purged = { payloads: 0, events: 0, identities: 0 }
  readonly #place: ModelPlace
  readonly #stepMs: number
  readonly #wholeEvery: number
  #asks = 0
  #steps = 0

  /** @param wholeEvery after how many commands the whole state is read and compared. */
  constructor(store: ModelStore, wholeEvery: number) {
    super()
    this.#place = store.make(this.clock, shards)
    this.#stepMs = store.rangeMs ?? 1
    this.#wholeEvery = wholeEvery
  }

  async open(): Promise<void> {
    this.sides.push(newSide(memoryStore({ clock: this.clock, shards })), newSide(await this.#place.open()))
    await this.register()
    // A pair that nobody ever had is in no epoch: no node asks for anything under it.
    while (this.owned.length < groups.length * shards) await this.beat()
  }

  async close(): Promise<void> {
    await Promise.all(this.sides.map(({ store }) => store.close()))
    await this.#place.remove()
  }

  async step({ kind, seed }: Move): Promise<void> {
    this.random = seededRandom(seed)
    await this[kind]()
    if (++this.#steps % this.#wholeEvery === 0) await this.compareWhole()
  }

  /** Asks both the same, each with its own numbers, and compares. Answers what the memory store said. */
  async both<Answer>(what: string, ask: (side: Side) => Promise<Answer>): Promise<Answer> {
    const [model, real] = this.sides
    if (!model || !real) throw new Error('the walk is not open')
    const wanted = await ask(model)
    expectSame(what, await ask(real), wanted)
    return wanted
  }

  async compareWhole(): Promise<void> {
    const named = {
      events: this.minted.map(({ key }) => key),
      identities: this.minted,
      tags: this.tags,
      owned: this.owned,
      middle: (this.startedAt + this.clock.now()) / 2,
      now: this.clock.now(),
    }
    await this.both('whole state', (side) => wholeState(side, named))
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
      const registry = await this.both('register', ({ store }) => store.register(group, `${group}-n1`, declared))
      this.version = registry.version
      this.tags = [...new Set(registry.handlers.map(({ tag }) => tag))]
    }
  }

  async beat(): Promise<void> {
    const { group, handlers: all } = this.pick(groups) ?? { group: 'g1', handlers: [] }
    const node = `${group}-n${1 + Math.floor(this.fraction() * 2)}`
    const handlers = this.chance(0.8) ? all : all.slice(1)
    const release = this.owned
      .filter((one) => one.group === group && this.chance(0.15))
      .map((one) => (this.chance(0.4) ? { ...one, lacks: this.pick(all) ?? '' } : one))
    const marks = this.owned.filter((one) => one.group === group && this.chance(0.2))
    const key = this.pick(this.accepted)?.key ?? ''
    const owns = this.chance(0.9)
    const claims = this.claims(node)
    const { owned, limits = [] } = await this.both('own', ({ store, positions }) => {
      const lowMarks = marks.map((one) => ({ ...one, position: positions.get(key) ?? 0 }))
      return store.own({ node, group, owns, handlers, leaseMs: 8_000, release, lowMarks, ...claims })
    })
    for (const { name, share } of limits) this.lent.set(`${node} ${name}`, share)
    for (const { group: of, shard, epoch } of owned) {
      const before = this.owned.find((one) => one.group === of && one.shard === shard)
      if (before && before.epoch !== epoch) this.stale.push(before)
      this.owned = [...this.owned.filter((one) => one.group !== of || one.shard !== shard), { group: of, shard, epoch }]
    }
  }

  async commit(): Promise<void> {
    const make = this.#newCommit()
    const repeats = this.#asks++ % 5 === 0
    const result = await this.both('commit', async (side) => {
      const batch = make(side)
      const answers = withoutStatuses(await side.store.commit(batch))
      if (repeats) {
        // Asked again at once, whatever the answer was: the same again gets the same, and changes nothing.
        const { reject: _counted, ...again } = batch
        expectSame('the same commit again', withoutStatuses(await side.store.commit(again)), answers)
      }
      await learn(side, batch, answers)
      return answers
    })
    const [model] = this.sides
    const batch = model ? make(model) : {}
    const emits = (batch.checkpoint ?? []).flatMap((item) => item.emits ?? [])
    const accepted = (batch.accept ?? []).filter((_, index) => result.accept[index]?.outcome === 'accepted')
    accepted.push(...emits.filter(({ key }) => model?.positions.has(key)))
    this.accepted.push(...accepted)
    this.remembered.push(...accepted)
    this.asked.push(...(batch.intervene ?? []).filter((_, index) => result.intervene[index]?.outcome === 'written'))
    for (const [index, { run, state }] of (batch.settle ?? []).entries()) {
      if (result.settle[index] === 'settled') this.states.set(`${run.event} ${run.tag}`, state)
    }
  }

  /** A random commit, to be filled with each store's own numbers. */
  #newCommit(): (side: Side) => Commit {
    const accept = this.some(3, () =>
      this.chance(0.1) ? (this.pick(this.remembered) ?? this.newAccept()) : this.newAccept(),
    )
    const intervene = this.some(1, () => this.newIntervene())
    const begins = this.#drafts(1, () => {
      const step = this.pick([undefined, ...steps])
      const undoable = step && this.chance(0.3) ? { undoable: true } : {}
      const guard = step && this.chance(0.3) ? { guard: this.pick(['once', 'confirm'] as const) ?? 'once' } : {}
      return { attempt: this.pick([1, 2]) ?? 1, ...(step ? { step } : {}), ...undoable, ...guard }
    })
    const at = this.clock.now()
    const checkpoints = this.#drafts(2, ({ key, tag }) => {
      const attempt = this.pick([1, 2]) ?? 1
      return {
        attempt,
        step: this.pick(steps) ?? firstStep,
        generation: this.states.get(`${key} ${tag}`)?.generation ?? 1,
        startedAt: at,
        endedAt: at,
        firstTriedAt: at,
        ...(this.chance(0.8) ? { value: `${attempt}` } : { error: { code: 'timed_out', message: 'too late' } }),
        ...(this.chance(0.2) ? { undoable: true } : {}),
        ...(this.chance(0.1) ? { until: at + 7 } : {}),
        ...(this.chance(0.1) ? { signal: this.pick(this.asked)?.key ?? key } : {}),
        ...(this.chance(0.3) ? { emits: [this.newAccept()] } : {}),
      }
    })
    const settles = this.#drafts(4, ({ key, tag }) => {
      const keep = this.pick([undefined, 'all', 'none', { before: secondStep }] as const)
      const intervention = this.chance(0.2) ? this.pick(this.asked)?.key : undefined
      const item = {
        handler: this.pick(['h', 'other']) ?? 'h',
        ...(this.chance(0.3) ? { attemptedAt: at - 2 } : {}),
        ...(intervention === undefined ? {} : { intervention }),
        ...(this.chance(0.3) ? { tried: this.some(2, () => this.newTried()) } : {}),
        ...(keep ? { keepCheckpoints: keep } : {}),
      }
      return { state: this.nextState(key, tag), sees: this.chance(0.8), item }
    })
    const answered = this.chance(0.3) ? this.pick(this.asked) : undefined
    const reason = this.chance(0.3) ? { reason: 'completed' } : {}
    const owned = this.pair(0, 'g1')
    const code = this.pick(['signature_invalid', 'too_deep']) ?? ''
    const reject = this.chance(0.1) ? [{ source: this.pick(['s1', 's2']) ?? '', code, count: 2 }] : []
    return (side) => {
      const fence = ({ owned: pair, key, tag }: Draft) => {
        return { owned: pair, run: { event: key, position: side.positions.get(key) ?? 0, tag } }
      }
      return {
        accept,
        intervene,
        begin: begins.map(({ draft, drawn }): BeginItem => ({ ...fence(draft), generation: 1, at, ...drawn })),
        checkpoint: checkpoints.map(({ draft, drawn }): CheckpointItem => ({ ...fence(draft), ...drawn })),
        settle: settles.map(({ draft, drawn: { state, sees, item } }): SettleItem => {
          const seenIntervention = sees ? Math.max(0, ...side.interventions.values()) : 0
          return { ...fence(draft), ...item, state: { ...state, seenIntervention } }
        }),
        answer: answered ? [{ owned, intervention: answered.key, outcome: 'applied', ...reason }] : [],
        reject,
      }
    }
  }

  #drafts<Drawn>(most: number, draw: (draft: Draft) => Drawn): { readonly draft: Draft; readonly drawn: Drawn }[] {
    return this.some(most, () => {
      const event = this.pick(this.accepted)
      const tag = this.pick(this.tags)
      const { group } = this.pick(groups) ?? { group: 'g1' }
      if (!event || tag === undefined) return []
      const draft = { owned: this.pair(event.shard, group), key: event.key, tag }
      return [{ draft, drawn: draw(draft) }]
    }).flat()
  }

  /** What came since, to some pairs: from their cursors, or as after a takeover. */
  async tail(): Promise<void> {
    const cursors = this.owned.filter(() => this.chance(0.6))
    const fresh = this.chance(0.15)
    const all = this.chance(0.3)
    await this.both('tail', async (side) => {
      const asked = cursors.map((one) => ({ ...(fresh ? one : cursorOf(side, one)), all }))
      const pages = await side.store.tail({ cursors: asked, limit: 100_000 })
      for (const { group, shard, epoch, cursor, asked: given } of pages) {
        side.cursors.set(`${group} ${shard} ${epoch}`, { cursor, asked: given })
      }
      return pages.map((page) => this.#comparable(page, all || fresh))
    })
  }

  /** One pair's events in small pages; or, of limit 0, its interventions alone. */
  async pages(): Promise<void> {
    const pair = this.pick(this.owned)
    if (!pair) return
    const [model] = this.sides
    // A page that was cut after a takeover goes on with what is unfinished: what lies between is each store's own matter.
    const fresh = this.chance(0.5) || !model || cursorOf(model, pair).cursor === undefined
    const all = fresh || this.chance(0.5)
    const limit = this.pick([0, 1, 3]) ?? 1
    await this.both(`pages of ${limit}`, async (side) => {
      let next: OwnedCursor = { ...(fresh ? pair : cursorOf(side, pair)), all }
      const pages: TailPage[] = []
      for (let more = true; more; ) {
        const [page] = await side.store.tail({ cursors: [next], limit })
        if (!page) break
        pages.push(page)
        // As after a takeover, the cursor alone says how far it got.
        next = { ...pair, all, cursor: page.cursor, asked: page.asked }
        more = page.more && limit > 0
      }
      const [first] = pages
      if (!first) return undefined
      const events = pages.flatMap((page) => page.events)
      const interventions = pages.flatMap((page) => page.interventions)
      return this.#comparable({ ...first, more: all && first.more, events, interventions }, all)
    })
  }

  /** Unless `whole`, what was handed over may be left out, and may come. */
  #comparable(page: TailPage, whole: boolean): TailPage {
    const sorted = sortedPage(page)
    return whole ? sorted : { ...sorted, events: sorted.events.filter(({ event }) => !this.handed.has(event.key)) }
  }

  async due(): Promise<void> {
    const owned = this.chance(0.8) ? this.owned : [...this.owned, ...this.stale]
    const limit = this.pick([1, 3]) ?? 1
    await this.both('due', ({ store }) => allDue(store, owned, this.clock.now() + 5_000, limit))
  }

  async setting(): Promise<void> {
    const change = this.newChange()
    await this.both('changeSetting', async ({ store }) => (await store.changeSetting(change)).version)
    const turn = this.newTurn()
    const { circuit } = await this.both('turnCircuit', ({ store }) => store.turnCircuit(turn))
    this.circuitVersion = circuit?.version ?? 0
    const [name, candidate] = [this.pick(['k1', 'k2']) ?? '', this.random.bytes(4)]
    await this.both('secret', ({ store }) => store.secret(name, candidate))
    const [which = 0, version = 0] = candidate
    const scope = scopes[which % scopes.length]
    if (scope) await this.both('raiseVersion', ({ store }) => store.raiseVersion(scope, `n2${version}`))
  }

  /** In one sweep, or in steps until nothing is dropped: which row a step reaches is each store's own matter. */
  async purge(): Promise<void> {
    const now = this.clock.now()
    const stepped = (at: number) => Math.floor(at / this.#stepMs) * this.#stepMs
    const identitiesBefore = stepped(now - longestWindowMs - Math.floor(this.fraction() * 60_000))
    const journalBefore = stepped(now - Math.floor(this.fraction() * (now - identitiesBefore)))
    const payloadsBefore = stepped(now - Math.floor(this.fraction() * (now - journalBefore)))
    const rows = this.chance(0.5) ? 10_000 : 20
    const dropped = await this.both(`purge in steps of ${rows}`, async ({ store }) => {
      const sum = { payloads: 0, events: 0, identities: 0 }
      for (let idle = 0; idle < 3; ) {
        const step: PurgeResult = await store.purge({ payloadsBefore, journalBefore, identitiesBefore, rows })
        sum.payloads += step.payloads
        sum.events += step.events
        sum.identities += step.identities
        idle = step.payloads + step.events + step.identities === 0 && !step.more ? idle + 1 : 0
      }
      return sum
    })
    const [model] = this.sides
    const known = await Promise.all(this.remembered.map((item) => model?.store.identity(item)))
    this.remembered = this.remembered.filter((_, index) => known[index] !== undefined)
    this.purged.payloads += dropped.payloads
    this.purged.events += dropped.events
    this.purged.identities += dropped.identities
  }

  async reopen(): Promise<void> {
    const side = this.sides[1]
    if (!side) return
    await side.store.close()
    side.store = await this.#place.open()
  }

  async advance(): Promise<void> {
    await this.clock.advance(Math.floor(this.fraction() * (this.chance(0.3) ? 40_000 : 9_000)))
  }
}

function cursorOf(side: Side, pair: Owned): OwnedCursor {
  return { ...pair, ...side.cursors.get(`${pair.group} ${pair.shard} ${pair.epoch}`) }
}

/** What a store may say beside its answers, of the moment in which it was asked. */
function withoutStatuses(result: CommitResult): CommitResult {
  const accept = result.accept.map((answer) => {
    if (answer.outcome !== 'duplicate' && answer.outcome !== 'conflict') return answer
    const { statuses: _statuses, ...plain } = answer
    return plain
  })
  return { ...result, accept }
}

/** Notes the numbers that a store chose. */
async function learn(side: Side, batch: Commit, answers: CommitResult): Promise<void> {
  for (const [index, item] of (batch.accept ?? []).entries()) {
    const answer = answers.accept[index]
    if (answer?.outcome === 'accepted' && answer.position) side.positions.set(item.key, answer.position)
  }
  for (const [index, item] of (batch.intervene ?? []).entries()) {
    const answer = answers.intervene[index]
    if (answer?.outcome === 'written') side.interventions.set(item.key, answer.position)
  }
  for (const { emits = [] } of batch.checkpoint ?? []) {
    for (const { key } of emits) {
      const event = await side.store.event(key)
      if (event) side.positions.set(key, event.position)
    }
  }
}
