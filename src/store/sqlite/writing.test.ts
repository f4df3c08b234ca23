import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { completed } from '../../../test/support/run-state.ts'
import { mintEventKey } from '../../event/event-key.ts'
import { seededRandom } from '../../kit/random.ts'
import type { AcceptItem, Commit, Owned } from '../store.ts'
import { connect } from './connection.ts'
import { packCommit } from './items.ts'
import { migrateSchema } from './schema.ts'
import { Writing } from './writing.ts'

const seed = 1
const ledger = { sealEntries: 6, mergeCount: 2, sliceRows: 2 }
const boot = 'boot'
const group = 'g'
const tag = 'abcdefgh'

/** Thousands of commits, none of which must survive the machine: a disk in memory where there is one. */
const memoryDisk = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

let random = seededRandom(seed)
let folder = ''
let files = 0
const opened: { close(): void }[] = []

beforeEach(() => {
  random = seededRandom(seed)
  folder = mkdtempSync(join(memoryDisk, 'hapax-statements-'))
})

afterEach(() => {
  faults.disarm()
  for (const one of opened.splice(0)) one.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What SQLite throws for a disk that is full, and for one that fails. */
const failures = [
  { errcode: 13, errstr: 'database or disk is full' },
  { errcode: 10, errstr: 'disk I/O error' },
]

/**
 * Stands before every statement of every connection of this thread: counts them, and in the place of one throws what
 * SQLite would. Statement `failAt` counts from 1.
 */
class Faults {
  seen = 0
  thrown = 0
  #failAt = 0
  /** From the failing one on all fail, as for a process that is gone. */
  #forGood = false
  #error: Error = new Error('not armed')

  arm(failAt: number, failure: { readonly errcode: number; readonly errstr: string }, forGood = false): void {
    this.seen = 0
    this.thrown = 0
    this.#failAt = failAt
    this.#forGood = forGood
    this.#error = Object.assign(new Error(failure.errstr), failure, { code: 'ERR_SQLITE_ERROR' })
  }

  disarm(): void {
    this.#failAt = 0
    this.#forGood = false
  }

  pass(): void {
    this.seen++
    const fails = this.#failAt > 0 && (this.#forGood ? this.seen >= this.#failAt : this.seen === this.#failAt)
    if (!fails) return
    this.thrown++
    throw this.#error
  }
}

const faults = new Faults()

/** Puts {@link faults} before a method of `node:sqlite` for as long as this file's tests run. */
function guard(prototype: object, name: string): void {
  const original: unknown = Reflect.get(prototype, name)
  if (typeof original !== 'function') throw new Error(`node:sqlite has no ${name}`)
  Reflect.set(prototype, name, function (this: unknown, ...values: unknown[]) {
    faults.pass()
    return Reflect.apply(original, this, values)
  })
}

for (const name of ['run', 'get', 'all', 'iterate']) guard(StatementSync.prototype, name)
for (const name of ['exec', 'prepare']) guard(DatabaseSync.prototype, name)

/** A process on a file: its writer, in this very thread. */
function openOn(path: string): Writing {
  const writing = new Writing({ path, shards: 2, ledger, maxPages: undefined, waitMs: 0 })
  opened.push(writing)
  return writing
}

/** The file and its log as they stand: what a process that ends now leaves, with whatever was not committed. */
function leftBehind(path: string): string {
  const copy = join(folder, `${++files}.db`)
  copyFileSync(path, copy)
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`)
  return copy
}

/** How long a fault lasts, and who goes on after it. */
const ways = [
  { way: 'once, and the process goes on', lasts: false, dies: false },
  { way: 'and all after it, until the disk is well again', lasts: true, dies: false },
  { way: 'and the process is gone', lasts: true, dies: true },
] as const

/** Every row of every table. */
function rowsOf(path: string): Record<string, unknown[]> {
  const database = new DatabaseSync(path)
  const tables = database.prepare("select name from sqlite_schema where type = 'table' order by name").all()
  const rows = tables.map(({ name }) => {
    const all: unknown[] = database
      .prepare(`select * from "${String(name)}"`)
      .all()
      .map((row) => ({ ...row }))
    return [String(name), all] as const
  })
  database.close()
  return Object.fromEntries(rows)
}

let now = 1_764_000_000_000

function moment() {
  return { now, monotonicMs: now - 1_763_000_000_000, boot }
}

function accepted(id: string, more: Partial<AcceptItem> = {}): AcceptItem {
  const key = mintEventKey(now, 0, random)
  return acceptItem({ key, id, orderKey: 'k', fingerprints: [{ keyId: 1, hash: id }], ...more })
}

const beat = nodeBeat({ group, leaseMs: 60_000 })

/** One call of the writer: asked again it is the same call. */
interface Call {
  readonly name: string
  readonly ask: (writing: Writing) => unknown
}

function commitCall(name: string, batch: Commit): Call {
  return { name, ask: (writing) => writing.commit(packCommit(batch), moment()) }
}

/** A file in the middle of its life, and what may be asked of it next. */
function scene(): { readonly path: string; readonly calls: readonly Call[]; readonly followers: readonly Call[] } {
  const path = join(folder, `${++files}.db`)
  const database = connect({ path, cacheKib: 1_024 })
  migrateSchema(database, 2)
  database.close()
  const writing = openOn(path)
  writing.register(group, 'n1', [{ name: 'h', formerly: [], sources: ['*'], types: ['*'] }], moment())
  const [owned] = writing.own(beat, moment()).owned
  if (!owned) throw new Error('the node owns nothing')
  const pair: Owned = { group, shard: owned.shard, epoch: owned.epoch }
  const first = accepted('first', { shard: pair.shard })
  const second = accepted('second', { shard: pair.shard })
  const passing = { windowMs: 10, contentWindowMs: 10 }
  const early = Array.from({ length: 5 }, (_, index) => accepted(`early ${index}`, passing))
  const { accept } = writing.commit(packCommit({ accept: [first, second, ...early] }), moment())
  const runOf = (item: AcceptItem, index: number) => ({ event: item.key, position: accept[index] ?? 0, tag })
  const [run, other] = [runOf(first, 0), runOf(second, 1)]
  now += 100
  const error = { code: 'E', message: 'no' }
  const state = completed({ status: 'dead', since: now, failures: 1, failuresInAll: 1, error })
  const step = { kind: 'step', name: 'a', of: '' } as const
  const times = { startedAt: now, endedAt: now, firstTriedAt: now }
  const result = { owned: pair, run, generation: 1, attempt: 1, step, value: '1', ...times }
  const question = { event: first.key, tag, verb: 'retry', detail: '{}', actor: 'me', id: 'once' } as const
  const asked = { key: mintEventKey(now, 0, random), ...question, id: 'before' }
  writing.commit(packCommit({ checkpoint: [result], intervene: [asked] }), moment())
  const fresh = accepted('fresh', passing)
  const large: Commit = {
    accept: [
      fresh,
      { ...fresh, key: mintEventKey(now, 0, random) },
      accepted('early 0', passing),
      { ...second, key: mintEventKey(now, 0, random), fingerprints: [{ keyId: 1, hash: 'another' }] },
      accepted('unclaimed', { unclaimed: true }),
    ],
    intervene: [{ key: mintEventKey(now, 0, random), ...question, tag: 'elsewhere' }],
    begin: [{ owned: pair, run: other, generation: 1, attempt: 1, at: now }],
    checkpoint: [{ ...result, run: other, emits: [accepted('emitted')] }],
    settle: [
      { owned: pair, run, state: { ...state, seenIntervention: 1_000_000 }, handler: 'h' },
      { owned: pair, run: other, state: { ...state, status: 'scheduled', dueAt: now + 5 }, handler: 'h' },
      {
        owned: pair,
        run,
        state: { ...state, generation: 2, status: 'completed', seenIntervention: 1_000_000 },
        handler: 'h',
      },
    ],
    answer: [{ owned: pair, intervention: asked.key, outcome: 'applied' }],
    reject: [{ source: 's', code: 'c', count: 1 }],
  }
  const claim = { name: 'rate:d', amount: 10, whole: false, held: 0, eager: true }
  const scope = { tag, tenant: 'default', key: 'k' }
  const turn = { dependency: 'd', seen: 0, state: 'open', reason: 'failures', actor: 'n1' } as const
  const calls: Call[] = [
    commitCall('a commit of every kind', large),
    { name: 'a beat that gives back and takes', ask: (one) => one.own({ ...beat, release: [pair] }, moment()) },
    { name: 'a beat of another node', ask: (one) => one.own({ ...beat, node: 'n2' }, moment()) },
    {
      name: 'a register',
      ask: (one) => one.register(group, 'n1', [{ name: 'new', formerly: [], sources: ['*'], types: ['*'] }], moment()),
    },
    { name: 'a secret', ask: (one) => one.secret('name', new Uint8Array([1])) },
    {
      name: 'a pause',
      ask: (one) => one.changeSetting({ verb: 'pause', what: 'source', name: 's', actor: 'me' }, moment()),
    },
    { name: 'a beat that claims limits', ask: (one) => one.own({ ...beat, limits: [claim] }, moment()) },
    {
      name: 'limits of a dependency',
      ask: (one) => one.changeSetting({ verb: 'limit', what: 'dependency', name: 'd', actor: 'me', rate: 1 }, moment()),
    },
    { name: 'a turn of a circuit', ask: (one) => one.turnCircuit(turn, moment()) },
    { name: 'a raise of a version', ask: (one) => one.raiseVersion(scope, 'n2', moment()) },
    { name: 'an idle slice of the ledger', ask: (one) => one.idle() },
  ]
  const followers: Call[] = [
    commitCall('the same identities, and new ones', {
      accept: [
        { ...fresh, key: mintEventKey(now, 0, random) },
        accepted('first'),
        accepted('emitted'),
        accepted('early 0'),
        accepted('early 3'),
        ...Array.from({ length: 4 }, (_, index) => accepted(`late ${index}`)),
      ],
      settle: [{ owned: pair, run: other, state: { ...state, turn: 2, status: 'completed' }, handler: 'h' }],
      intervene: [{ key: mintEventKey(now, 0, random), ...question }],
    }),
    {
      name: 'a purge',
      ask: (one) =>
        one.purge({ payloadsBefore: now + 1, journalBefore: now + 1, identitiesBefore: now + 1, rows: 100 }),
    },
    commitCall('after the purge', { accept: [accepted('early 3'), accepted('late 1'), accepted('first')] }),
    { name: 'a beat', ask: (one) => one.own(beat, moment()) },
    {
      name: 'another claim of the same limit',
      ask: (one) => one.own({ ...beat, node: 'n2', limits: [claim] }, moment()),
    },
    { name: 'the same turn', ask: (one) => one.turnCircuit(turn, moment()) },
    { name: 'an older version', ask: (one) => one.raiseVersion(scope, 'n1', moment()) },
    { name: 'a slice', ask: (one) => one.idle() },
    commitCall('after the slice', { accept: [accepted('late 2'), accepted('late 5')] }),
  ]
  writing.close()
  opened.splice(opened.indexOf(writing), 1)
  return { path, calls, followers }
}

/** A call may reject, and then nothing is known. */
function tried(call: Call, writing: Writing): { readonly answer: unknown } | undefined {
  try {
    return { answer: call.ask(writing) }
  } catch {
    return undefined
  }
}

function followUp(followers: readonly Call[], writing: Writing): unknown[] {
  return followers.map(({ name, ask }) => ({ name, answer: ask(writing) }))
}

/** How many statements a call makes on a writer that is warm, as `prepare` left it. */
function countOf(call: Call, path: string, warm: readonly Call[]): number {
  const writing = openOn(leftBehind(path))
  followUp(warm, writing)
  faults.seen = 0
  call.ask(writing)
  return faults.seen
}

function closeAll(): void {
  for (const one of opened.splice(0)) one.close()
}

describe(`statement k of a call fails, for every k, seed ${seed}`, () => {
  const names = ['a commit of every kind', 'a beat that gives back and takes', 'a beat of another node', 'a register']
  const settings = ['a secret', 'a pause', 'limits of a dependency', 'a turn of a circuit']
  const others = ['a beat that claims limits', 'an idle slice of the ledger', 'a purge']
  test.for([...names, ...settings, ...others])('%s', (name) => {
    const { path, calls, followers } = scene()
    const call = [...calls, ...followers].find((one) => one.name === name)
    if (!call) throw new Error(`there is no call ${name}`)
    // A cold writer reads all anew in its first transaction, a warm one knows: faults come to both.
    const warmed: Call = { name: 'warm', ask: (one) => one.secret('warm', new Uint8Array([2])) }
    for (const warm of [[], [warmed]]) {
      const base = leftBehind(path)
      const basis = openOn(base)
      followUp(warm, basis)
      basis.close()
      opened.splice(0)
      const before = rowsOf(base)
      const undisturbedFile = leftBehind(base)
      const undisturbed = openOn(undisturbedFile)
      const wanted = call.ask(undisturbed)
      const wantedLater = followUp(followers, undisturbed)
      const afterAll = rowsOf(undisturbedFile)
      closeAll()
      const count = countOf(call, base, warm)
      expect(count).toBeGreaterThan(3)
      const reference = leftBehind(base)
      const referred = openOn(reference)
      call.ask(referred)
      closeAll()
      const after = rowsOf(reference)
      for (let failAt = 1; failAt <= count; failAt++) {
        const failure = failures[failAt % failures.length] ?? { errcode: 13, errstr: '' }
        for (const { way, lasts, dies } of ways) {
          const where = `${name}, statement ${failAt} of ${count}, ${way}`
          const file = leftBehind(base)
          const writing = openOn(file)
          followUp(warm, writing)
          faults.arm(failAt, failure, lasts)
          const answer = tried(call, writing)
          const { thrown } = faults
          faults.disarm()
          const left = dies ? leftBehind(file) : file
          expect({ where, thrown: thrown > 0 }).toEqual({ where, thrown: true })
          expect({ where, ...rowsOf(left) }).toEqual({ where, ...(answer ? after : before) })
          if (answer) expect({ where, ...answer }).toEqual({ where, answer: wanted })
          const next = dies ? openOn(left) : writing
          const again = call.ask(next)
          if (!answer) expect({ where, again }).toEqual({ where, again: wanted })
          expect({ where, later: followUp(followers, next) }).toEqual({ where, later: wantedLater })
          expect({ where, ...rowsOf(left) }).toEqual({ where, ...afterAll })
          closeAll()
        }
      }
    }
  })
})

test('a close never fails, whatever the disk does', () => {
  const { path, calls } = scene()
  const writing = openOn(leftBehind(path))
  for (const { ask } of calls) ask(writing)
  opened.splice(0)
  faults.arm(1, { errcode: 13, errstr: 'database or disk is full' }, true)
  expect(() => writing.close()).not.toThrow()
  expect(faults.thrown).toBeGreaterThan(0)
})
