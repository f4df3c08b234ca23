import { mintEventKey } from '../../src/event/event-key.ts'
import type { RunState, StepAddress } from '../../src/event/run.ts'
import { runStatuses } from '../../src/event/run-status.ts'
import { seededRandom } from '../../src/kit/random.ts'
import type { CircuitTurn } from '../../src/store/circuits.ts'
import type { AcceptItem, InterveneItem, NodeBeat, Owned, SettingChange, TriedStep } from '../../src/store/store.ts'
import type { VersionScope } from '../../src/store/version-scope.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** Two handlers of one group and one of another, so that pages must tell groups apart. */
export const groups = [
  { group: 'g1', handlers: ['pay', 'mail'] },
  { group: 'g2', handlers: ['audit'] },
]
export const shards = 4
export const [firstStep, secondStep] = [stepNamed('a'), stepNamed('b')]
export const steps = [firstStep, secondStep, stepNamed('c')]
function stepNamed(name: string): StepAddress {
  return { kind: 'step', name, of: '' }
}

/** Things outside whose versions are raised. */
export const scopes: readonly VersionScope[] = ['x', 'y', 'z'].map((key) => ({ tag: 'pay', tenant: 't1', key }))

/** What nodes share. */
const sharedLimits = [
  { name: 'rate:d1', amount: 70, whole: false },
  { name: 'slots:d1', amount: 5, whole: true },
]

const verbs = ['signal', 'cancel', 'retry'] as const
const standing = runStatuses.filter((one) => one !== 'running')

/** Spans within which an identity or content counts, in milliseconds: what is purged is older than both. */
const windowMs = 20_000
const contentWindowMs = 15_000
export const longestWindowMs = Math.max(windowMs, contentWindowMs)

/** What a walk knows so far, and random items that are about it. */
export class Draws {
  readonly clock = new FakeClock()
  random = seededRandom(0)
  /** Every event that was ever offered, also within a checkpoint. */
  readonly minted: AcceptItem[] = []
  readonly accepted: AcceptItem[] = []
  /** Of these, the ones that may be offered again: a forgotten one would come to have two positions. */
  remembered: AcceptItem[] = []
  readonly handed = new Set<string>()
  readonly asked: InterveneItem[] = []
  readonly states = new Map<string, RunState>()
  owned: Owned[] = []
  stale: Owned[] = []
  tags: string[] = []
  /** By node and limit, what it was lent. */
  readonly lent = new Map<string, number>()
  circuitVersion = 0
  version = 0

  fraction(): number {
    return this.random.fraction()
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.fraction() * items.length)]
  }

  chance(of: number): boolean {
    return this.fraction() < of
  }

  some<Item>(most: number, make: () => Item): Item[] {
    return Array.from({ length: Math.floor(this.fraction() * (most + 1)) }, make)
  }

  pair(shard: number, group: string): Owned {
    const pair = this.owned.find((one) => one.shard === shard && one.group === group)
    return (this.chance(0.9) ? pair : this.pick(this.stale)) ?? { group, shard, epoch: 0 }
  }

  newAccept(): AcceptItem {
    const shard = Math.floor(this.fraction() * shards)
    const unsigned = this.chance(0.2)
    const windowed = this.chance(0.25)
    const handedTo = this.chance(0.3) ? this.owned.find((one) => one.shard === shard) : undefined
    const item: AcceptItem = {
      key: mintEventKey(this.clock.now(), shard, this.random),
      shard,
      tenant: this.chance(0.9) ? 't1' : 't2',
      // No handler takes `s3`: what retention may drop as soon as it is old.
      source: this.chance(0.7) ? 's1' : (this.pick(['s2', 's3']) ?? 's2'),
      // Few ids where windows pass: so that one identity comes to have several events.
      id: `id ${Math.floor(this.fraction() * (windowed || this.chance(0.1) ? 5 : 60))}`,
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
      ...(windowed ? { windowMs } : {}),
      ...(unsigned ? { contentWindowMs } : {}),
      ...(handedTo ? { handedTo } : {}),
    }
    if (handedTo) this.handed.add(item.key)
    this.minted.push(item)
    return item
  }

  /** The state that some settlement brings: mostly the next turn, at times one that must be refused. */
  nextState(key: string, tag: string): RunState {
    const before = this.states.get(`${key} ${tag}`)
    const opens = before && this.chance(0.25)
    const status = this.chance(0.4) ? 'completed' : (this.pick(standing) ?? 'ready')
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
      losses: this.chance(0.1) ? 1 : 0,
      dueAt: due ? this.clock.now() + this.fraction() * 20_000 : undefined,
      waitingFor: status === 'waiting' && this.chance(0.5) ? ['approved'] : undefined,
      result: status === 'completed' ? '{"ok":true}' : undefined,
      error: status === 'dead' ? { code: 'E', message: 'no' } : undefined,
      undoBegun: this.chance(0.1) ? 'cancel' : false,
      keySeries: this.chance(0.1) ? 1 : 0,
      handlerVersion: this.chance(0.2) ? 'v2' : undefined,
      seenIntervention: 0,
      openedAt: this.chance(0.2) ? this.clock.now() - 5 : undefined,
    }
  }

  newTried(): TriedStep {
    return {
      step: this.pick(steps) ?? firstStep,
      firstTriedAt: this.clock.now() - 3,
      doubt: this.chance(0.5),
      ...(this.chance(0.3) ? { undoable: true } : {}),
      ...(this.chance(0.3) ? { guard: this.pick(['once', 'confirm'] as const) ?? 'once' } : {}),
      ...(this.chance(0.3) ? { error: { code: 'E', message: 'tried', step: 'a' } } : {}),
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

  /** What a node claims of shared limits; mostly it says truly what it has. */
  claims(node: string): Pick<NodeBeat, 'limits'> {
    if (this.chance(0.3)) return {}
    const limits = sharedLimits
      .filter(() => this.chance(0.7))
      .map((limit) => {
        const held = this.chance(0.8) ? (this.lent.get(`${node} ${limit.name}`) ?? 0) : this.fraction() * limit.amount
        return { ...limit, held, eager: this.chance(0.6) }
      })
    return { limits }
  }

  newChange(): SettingChange {
    const intent = { actor: 'me', ...(this.chance(0.5) ? { reason: 'because' } : {}) }
    if (this.chance(0.4)) {
      const rate = this.chance(0.5) ? { rate: this.fraction() * 10 } : {}
      const concurrency = this.chance(0.4) ? { concurrency: 3 } : {}
      return {
        verb: 'limit',
        what: 'dependency',
        name: this.pick(['d1', 'D2']) ?? 'd1',
        ...rate,
        ...concurrency,
        ...intent,
      }
    }
    const verb = this.pick(['pause', 'resume'] as const) ?? 'pause'
    const what = this.pick(['handler', 'source', 'dependency'] as const) ?? 'source'
    return { verb, what, name: this.pick(['pay', 's1']) ?? 's1', ...intent }
  }

  /** Mostly of the circuit as it is, so that it turns. */
  newTurn(): CircuitTurn {
    return {
      dependency: 'd1',
      seen: this.chance(0.8) ? this.circuitVersion : Math.floor(this.fraction() * 3),
      state: this.pick(['open', 'probing', 'closed'] as const) ?? 'open',
      ...(this.chance(0.7) ? { probeInMs: 1_500 } : {}),
      reason: 'failures',
      actor: 'me',
    }
  }
}
