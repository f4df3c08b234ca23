import { HapaxError } from '../../errors/hapax-error.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Commit, CommitResult, Store } from '../store.ts'
import { accept } from './accept.ts'
import { arrived } from './hand-over.ts'
import { answer, intervene, reject } from './intervene.ts'
import { own } from './own.ts'
import { purge } from './purge.ts'
import { eventOf, runOf } from './read.ts'
import { changeSetting, register, registryOf, settingsOf, turnCircuit } from './registry.ts'
import { counts, searchEvents, searchRuns } from './search.ts'
import { begin, checkpoint, settle } from './settle.ts'
import { MemoryState } from './state.ts'
import { due, tail } from './tail.ts'
import { newestVersion, raiseVersion } from './versions.ts'

/** Options of {@link memoryWorld} and {@link memoryStore}. */
export interface MemoryOptions {
  readonly clock: Clock
  /** Default 16. */
  readonly shards?: number
  /** False: events reach their shard by a durable hand-over, as in a clustered store. Default true. */
  readonly acceptSpans?: boolean
}

/** What several handles share: the cluster that their nodes are in. */
export interface MemoryWorld {
  /** Another node's handle; or the same node's after its restart. */
  connect(): Store
}

/**
 * State in memory that several handles may share.
 *
 * @example
 * const world = memoryWorld({ clock })
 * const [one, other] = [world.connect(), world.connect()]
 */
export function memoryWorld(options: MemoryOptions): MemoryWorld {
  const state = new MemoryState(options.clock, options.shards ?? 16, options.acceptSpans ?? true)
  return { connect: () => connect(state) }
}

/**
 * A store in memory: the specification that one can run, plainest rather than fastest. What it keeps is gone with its
 * process.
 *
 * @example
 * const store = memoryStore({ clock: systemClock })
 */
export function memoryStore(options: MemoryOptions): Store {
  return memoryWorld(options).connect()
}

function connect(state: MemoryState): Store {
  const listeners = new Set<() => void>()
  let closed = false

  /** Every operation is one synchronous section in a turn of its own: atomic, and never inside its caller's. */
  const inTurn = <Answer>(work: () => Answer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      state.clock.turn(() => {
        try {
          if (closed) throw new HapaxError('store_unavailable', { reason: 'it was closed' })
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
    })

  return {
    kind: 'memory',
    abilities: {
      acceptSpans: state.acceptSpans,
      transaction: false,
      manyNodes: true,
      survivesRestart: false,
      retention: 'exact',
    },
    durability: 'relaxed',
    shards: state.shards,
    migrate: () => inTurn(() => undefined),
    commit: async (batch) => {
      const result = await inTurn(() => commit(state, batch))
      await orderedArrived(state, batch, result)
      return result
    },
    own: (beat) => inTurn(() => own(state, beat)),
    tail: (request) => inTurn(() => tail(state, request)),
    due: (owned, until, limit, after) => inTurn(() => due(state, owned, until, limit, after)),
    register: (group, node, handlers) => inTurn(() => register(state, group, node, handlers)),
    registry: () => inTurn(() => registryOf(state)),
    secret: (name, candidate) =>
      inTurn(() => {
        const secret = state.secrets.get(name) ?? candidate.slice()
        state.secrets.set(name, secret)
        return secret.slice()
      }),
    settings: () => inTurn(() => settingsOf(state)),
    changeSetting: (change) => inTurn(() => changeSetting(state, change)),
    turnCircuit: (turn) => inTurn(() => turnCircuit(state, turn)),
    newestVersion: (scope) => inTurn(() => newestVersion(state, scope)),
    raiseVersion: (scope, version) => inTurn(() => raiseVersion(state, scope, version)),
    event: (key) =>
      inTurn(() => {
        const entry = arrived(state, key)
        return entry && eventOf(entry)
      }),
    run: (key, tag) =>
      inTurn(() => {
        const entry = arrived(state, key)
        return entry && runOf(entry, tag)
      }),
    identity: (identity) =>
      inTurn(() => {
        const known = state.known(identity)
        return known && { key: known.key, acceptedAt: known.acceptedAt, fingerprint: known.fingerprint }
      }),
    history: (key) => inTurn(() => (state.events.get(key)?.history ?? []).map((entry) => entry())),
    searchEvents: (query) => inTurn(() => searchEvents(state, query)),
    searchRuns: (query) => inTurn(() => searchRuns(state, query)),
    counts: () => inTurn(() => counts(state)),
    purge: (request) => inTurn(() => purge(state, request)),
    onWork: (listener) => {
      // Its own function for each call, so that one listener may be given twice.
      const heard = () => listener()
      listeners.add(heard)
      state.listeners.add(heard)
      return () => {
        listeners.delete(heard)
        state.listeners.delete(heard)
      }
    },
    close: () =>
      new Promise((resolve) => {
        // In a turn, so that commits asked before it are done.
        state.clock.turn(() => {
          closed = true
          for (const listener of listeners) state.listeners.delete(listener)
          resolve()
        })
      }),
  }
}

function commit(state: MemoryState, batch: Commit): CommitResult {
  const result: CommitResult = {
    accept: (batch.accept ?? []).map((item) => accept(state, item)),
    intervene: (batch.intervene ?? []).map((item) => intervene(state, item)),
    begin: (batch.begin ?? []).map((item) => begin(state, item)),
    checkpoint: (batch.checkpoint ?? []).map((item) => checkpoint(state, item)),
    settle: (batch.settle ?? []).map((item) => settle(state, item)),
    answer: (batch.answer ?? []).map((item) => answer(state, item)),
  }
  for (const item of batch.reject ?? []) reject(state, item)
  if (result.accept.length + result.intervene.length > 0) state.hint()
  return result
}

/** The receipt of an event with an order key, `duplicate` included, waits until its shard knows of it (G7). */
async function orderedArrived(state: MemoryState, { accept: items = [] }: Commit, result: CommitResult): Promise<void> {
  for (const [index, answered] of result.accept.entries()) {
    const key =
      answered.outcome === 'duplicate' || answered.outcome === 'conflict' ? answered.original : items[index]?.key
    const entry = key === undefined ? undefined : state.events.get(key)
    while (entry?.event.orderKey !== undefined && entry.position === undefined) {
      await new Promise<void>((resolve) => state.clock.turn(resolve))
    }
  }
}
