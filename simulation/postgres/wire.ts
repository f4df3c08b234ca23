import { seededRandom } from '../../src/kit/random.ts'
import { commitAnswer } from '../../src/store/postgres/commit-answer.ts'
import { postgresStore } from '../../src/store/postgres/index.ts'
import type { Commit, Store } from '../../src/store/store.ts'
import { Draw } from '../draw.ts'
import type { GroundWorld, NodeOfWire, NodeWire } from '../ground.ts'
import type { Sometimes } from '../invariants.ts'
import type { NodeClock } from '../node-clock.ts'
import type { Fault } from '../plan.ts'
import type { Life } from '../schedule.ts'
import type { Said } from './backend.ts'
import { committing, within } from './processes.ts'
import { type Group, nameOf, rowsOf } from './protocol.ts'
import type { SimulatedServer } from './server.ts'
import { type Passage, SimulatedSocket, type Way } from './socket.ts'
import { beatOf, ownershipOf, sortOf, turnOf } from './statements.ts'

/** What holds for all connections alike. */
export interface ServerWeather {
  refusesUntilMs: number
}

type Armed = Extract<Fault, { readonly calls: number }>['kind'] | Extract<Fault, { readonly kind: 'crash' }>['when']

/** The connections of one node: their latencies by seed, and what was armed for their next statements. */
export class PostgresWire implements NodeWire {
  readonly #index: number
  readonly #world: GroundWorld
  readonly #server: SimulatedServer
  readonly #weather: ServerWeather
  readonly #node: NodeOfWire
  readonly #draw: Draw
  readonly #sockets = new Set<SimulatedSocket>()
  readonly #armed = new Map<Armed, number>()
  #starts = 0
  #stallMs = 0
  #slowReadMs = 0
  #lateReplyMs = 0
  #openMs = 0
  #cutUntilMs = 0
  #deafUntilMs = 0
  #hintlessUntilMs = 0
  #isHealed = false

  constructor(index: number, world: GroundWorld, server: SimulatedServer, weather: ServerWeather, node: NodeOfWire) {
    this.#index = index
    this.#world = world
    this.#server = server
    this.#weather = weather
    this.#node = node
    this.#draw = new Draw(world.plan.seed, `connections of node ${index}`)
  }

  break(fault: Fault): void {
    const { schedule, plan } = this.#world
    // What a cut holds on its way comes through when the world heals, not when the cut would have ended.
    const untilMs = Math.min(schedule.nowMs + ('ms' in fault ? fault.ms : 0), plan.healsAtMs)
    if ('calls' in fault) this.#armed.set(fault.kind, (this.#armed.get(fault.kind) ?? 0) + fault.calls)
    if (fault.kind === 'stall_in_beat') this.#stallMs = fault.ms
    if (fault.kind === 'slow_read') this.#slowReadMs = fault.ms
    if (fault.kind === 'reply_late') this.#lateReplyMs = fault.ms
    if (fault.kind === 'commit_open') this.#openMs = fault.ms
    if (fault.kind === 'crash' && fault.when !== 'now') this.#armed.set(fault.when, 1)
    if (fault.kind === 'cut' && fault.way === 'both') this.#cutUntilMs = untilMs
    if (fault.kind === 'cut') this.#deafUntilMs = untilMs
    if (fault.kind === 'hints_lost') this.#hintlessUntilMs = untilMs
    if (fault.kind === 'connections_ended') this.endConnections()
  }

  heal(): void {
    this.#isHealed = true
    this.#armed.clear()
    this.#cutUntilMs = 0
    this.#deafUntilMs = 0
    this.#hintlessUntilMs = 0
  }

  /** The server ends all that the node has. */
  endConnections(): void {
    const backends = [...this.#sockets].flatMap(({ backend }) => (backend && !backend.isGone ? [backend] : []))
    if (backends.length === 0) return
    this.#world.model.watch.reach('connections ended by the server')
    this.#server.terminate(backends)
  }

  async open(name: string, clock: NodeClock, life: Life): Promise<Store> {
    const { plan, model } = this.#world
    const way = this.#way(name, life)
    const store = await postgresStore({
      url: this.#server.overseer.url,
      schema: this.#server.schema,
      clock,
      random: seededRandom(plan.seed * 64 + this.#index * 16 + this.#starts++ + 8),
      connections: new Draw(plan.seed, 'pools').pick([2, 3]),
      stream: () => {
        const socket = new SimulatedSocket(way)
        this.#sockets.add(socket)
        socket.once('close', () => this.#sockets.delete(socket))
        return socket
      },
    })
    model.watch.tell(name, 'has opened its store')
    // Whoever asks, a sender or an operator: what goes on from here is the process's own.
    return new Proxy(store, {
      get(target, member) {
        if (member === 'commit') return (batch: Commit) => committing(life, batch, () => target.commit(batch))
        const value: unknown = Reflect.get(target, member)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => within(life, () => value.apply(target, args))
      },
    })
  }

  gone(life: Life): void {
    for (const socket of this.#sockets) {
      if (socket.life !== life) continue
      socket.abandon()
      this.#sockets.delete(socket)
    }
  }

  #way(name: string, life: Life): Way {
    const wire = this
    const { schedule, model } = this.#world
    return {
      schedule,
      server: this.#server,
      life,
      latencyMs: () => this.#latencyMs(),
      passage: (group) => this.#passage(name, group),
      hintMs: () => (schedule.nowMs < this.#hintlessUntilMs ? undefined : this.#latencyMs()),
      get cutUntilMs() {
        return wire.#cutUntilMs
      },
      get deafUntilMs() {
        return wire.#deafUntilMs
      },
      get refuses() {
        return schedule.nowMs < wire.#weather.refusesUntilMs
      },
      answered: (group, commit, said) => this.#answered(name, group, commit, said),
      opens: () => model.watch.reach('commit held open'),
    }
  }

  #answered(node: string, group: Group, commit: Commit | undefined, said: Said): void {
    const { model } = this.#world
    if (said.error !== undefined) {
      model.watch.tell(node, `${nameOf(group)}: the server says ${said.error}`)
      if (said.error === '57014') model.watch.reach('statement cancelled')
      if (said.error === '55P03') model.watch.reach('lock not had in time')
      if (said.error === '23505') model.watch.reach('row written by another meanwhile')
      return
    }
    if (group.text.includes('pg_notify')) this.#server.notifies()
    const [row] = rowsOf(said.messages)
    if (!row) return
    const name = nameOf(group)
    if (name === 'commit' && commit)
      model.carriedOut(node, { method: 'commit', args: [commit] }, commitAnswer(commit, row), false)
    if (name === 'beat')
      model.carriedOut(node, { method: 'own', args: [beatOf(group)] }, ownershipOf(group, row), false)
    if (name === 'turn_circuit') model.limits.turned(node, ...turnOf(group, row))
    // What was granted counts from now on; the lease is that of the beat before.
    if (name === 'grant') model.owners.granted(node, ownershipOf(group, row))
  }

  #latencyMs(): number {
    return this.#draw.random.fraction() * this.#world.plan.latencyMs
  }

  #passage(name: string, group: Group): Passage {
    const [requestMs, replyMs] = [this.#latencyMs(), this.#latencyMs()]
    const passes: Passage = { kind: 'passes', requestMs, replyMs, openMs: 0, cancels: false }
    const breaks = (when: 'before' | 'middle' | 'after'): Passage => ({ kind: 'breaks', when, requestMs, replyMs })
    const { model } = this.#world
    const reached = (point: Sometimes) => {
      model.watch.reach(point)
      model.watch.tell(name, `${nameOf(group)}: ${point}`)
    }
    const sort = sortOf(group)
    if (sort === 'commit') return this.#commitPassage(passes, breaks, reached)
    if (sort === 'beat') {
      if (model.runs.activeOn(name) > 0 && this.#take('stall_in_beat')) {
        reached('stood still in a beat')
        if (!this.#isHealed) this.#node.stall(this.#stallMs)
        return passes
      }
      if (!this.#take('lose_beat')) return passes
      reached('beat lost')
      return breaks(this.#draw.pick(['before', 'middle', 'after']))
    }
    if (sort === 'read' && this.#take('lose_read')) {
      reached('read lost')
      return breaks('after')
    }
    if (sort === 'read' && this.#take('slow_read')) return { ...passes, replyMs: replyMs + this.#slowReadMs }
    return passes
  }

  #commitPassage(
    passes: Extract<Passage, { kind: 'passes' }>,
    breaks: (when: 'before' | 'middle' | 'after') => Passage,
    reached: (point: Sometimes) => void,
  ): Passage {
    const { requestMs, replyMs } = passes
    const dies = (afterMs: number) =>
      this.#world.carrier.setTimer(afterMs, () => {
        if (!this.#isHealed) this.#node.die()
      })
    if (this.#take('before_commit')) {
      reached('crash before commit')
      dies(0)
      return breaks('before')
    }
    if (this.#take('after_commit')) {
      reached('crash after commit')
      dies(requestMs + replyMs / 2)
      return passes
    }
    if (this.#take('open_commit')) {
      reached('crash with an open commit')
      dies(requestMs + replyMs / 2)
      const longMs = this.#world.plan.leaseMs * this.#draw.pick([0.5, 1.2, 1.8])
      // Peers tail past it, or take over from it; or it is under way until they have.
      return this.#draw.chance(0.6) ? { ...passes, openMs: longMs } : { ...passes, requestMs: longMs }
    }
    if (this.#take('torn_commit')) {
      reached('crash in the middle of a commit')
      dies(requestMs)
      return breaks('middle')
    }
    if (this.#take('lose_request')) {
      reached('request lost')
      return breaks('before')
    }
    if (this.#take('lose_reply')) {
      reached('reply lost')
      return breaks('after')
    }
    if (this.#take('commit_torn')) {
      reached('commit torn')
      return breaks('middle')
    }
    if (this.#take('reply_late')) {
      reached('reply late')
      return { ...passes, replyMs: replyMs + this.#lateReplyMs }
    }
    if (this.#take('commit_late')) {
      reached('commit applied after its node gave up')
      const afterMs = this.#draw.whole(20, 700)
      return { kind: 'late', afterMs, requestMs: afterMs + this.#draw.whole(1, 4_000) }
    }
    if (this.#take('commit_open')) return { ...passes, openMs: this.#openMs }
    if (this.#take('statement_cancelled')) return { ...passes, cancels: true }
    return passes
  }

  #take(kind: Armed): boolean {
    const left = this.#armed.get(kind) ?? 0
    if (left > 0) this.#armed.set(kind, left - 1)
    return left > 0
  }
}
