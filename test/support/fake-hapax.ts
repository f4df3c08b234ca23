import { createHash } from 'node:crypto'
import type { DependencyView, EventView, Intent, NewEvent, RedriveView, RunView } from '../../src/engine/api.ts'
import { HapaxError } from '../../src/errors/hapax-error.ts'
import type { EventRecord } from '../../src/event/event.ts'
import { mintEventKey } from '../../src/event/event-key.ts'
import type { Receipt } from '../../src/event/receipt.ts'
import { parseRunId } from '../../src/event/run.ts'
import { createHttpIngress } from '../../src/ingress/http-ingress.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { jsonText } from '../../src/kit/json-text.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { parseStrictJson } from '../../src/kit/strict-json.ts'
import type { Served } from '../../src/server/subject.ts'
import type { Source } from '../../src/sources/source.ts'
import type { Settings } from '../../src/store/store.ts'

/** A Hapax without an engine: keeps events in a Map, records verbs, and fails on demand. */
export interface FakeHapax extends Served {
  /** What was accepted. */
  readonly kept: Map<string, EventRecord>
  /** Requests that were turned away, as `source code`. */
  readonly rejected: string[]
  /** Verbs that were asked, in order. */
  readonly asked: { verb: string; id: string; detail: unknown }[]
  /** What the next calls of accept throw, or verbs answer. */
  failWith: HapaxError | undefined
  answerWith: { outcome: 'applied' | 'pending' } | { outcome: 'refused'; reason: string }
  runs: Served['runs']
}

export function fakeHapax(sources: readonly Source[]): FakeHapax {
  const random = seededRandom(1)
  const kept = new Map<string, EventRecord>()
  const byKey = new Map<string, EventRecord>()
  const rejected: string[] = []
  const asked: FakeHapax['asked'] = []
  let settings: Settings = { version: 1, paused: [], circuits: [], limits: [] }

  const accept = async (event: NewEvent): Promise<Receipt> => {
    if (fake.failWith) throw fake.failWith
    const { source, id, type, contentType = 'application/json' } = event
    if (id === undefined) throw new HapaxError('identity_required', { source })
    if (Buffer.byteLength(id) > 255 || id === '') throw new HapaxError('invalid_event', { reason: 'id is no id' })
    const body = event.body ?? Buffer.from(jsonText(event.data ?? null))
    if (contentType === 'application/json') parseStrictJson(body)
    const hash = createHash('sha256').update(body).digest('base64url')
    const name = JSON.stringify([event.tenant ?? 'default', source, id])
    const before = kept.get(name)
    const record: EventRecord = before ?? {
      key: mintEventKey(1_764_000_000_000, 0, random),
      position: kept.size,
      shard: 0,
      tenant: event.tenant ?? 'default',
      source,
      id,
      idSigned: true,
      type,
      subject: event.subject,
      time: event.time instanceof Date ? event.time.toISOString() : event.time,
      contentType,
      orderKey: event.orderKey,
      fingerprint: { keyId: 1, hash },
      registryVersion: 1,
      acceptedAt: 1_764_000_000_000,
      headers: event.headers ?? {},
      body,
    }
    kept.set(name, record)
    byKey.set(record.key, record)
    return {
      outcome: !before ? 'accepted' : before.fingerprint?.hash === hash ? 'duplicate' : 'conflict',
      durability: 'relaxed',
      event: { key: record.key, acceptedAt: record.acceptedAt },
      runs: [],
    }
  }

  const verb = (name: string) => async (id: string, detail: unknown) => {
    parseRunId(id)
    asked.push({ verb: name, id, detail })
    return { ...fake.answerWith, run: id }
  }
  const redrive: RedriveView = {
    id: 'redrive-1',
    state: 'running',
    asked: 0,
    applied: 0,
    refused: 0,
    refusals: {},
    pending: 0,
    failed: 0,
    toTheBack: 0,
    error: undefined,
  }
  const matches = { handlers: 1, sources: 0 }
  let bank: DependencyView = {
    name: 'bank',
    circuit: 'closed',
    turned: undefined,
    declared: { rate: 100, concurrency: undefined },
    limits: { rate: 100, concurrency: undefined },
    setting: undefined,
    paused: undefined,
    handlers: ['settle'],
    here: { waiting: 0, active: 1, calls: 7, failures: 2 },
  }
  const turn = (verb: 'open' | 'close') => async (name: string, intent: Intent) => {
    if (fake.failWith) throw fake.failWith
    asked.push({ verb, id: name, detail: intent })
    bank = { ...bank, circuit: verb === 'open' ? 'open' : 'closed' }
    return { ...bank, name }
  }
  const reject = (source: string, code: string) => {
    rejected.push(`${source} ${code}`)
  }
  const found = (key: string): EventRecord => {
    const event = byKey.get(key)
    if (!event) throw new HapaxError('not_found', { what: 'event' })
    return event
  }

  const fake: FakeHapax = {
    kept,
    rejected,
    asked,
    failWith: undefined,
    answerWith: { outcome: 'applied' },
    accept,
    reject,
    sources,
    ingress: createHttpIngress({ sources, accept, clock: systemClock, reject }),
    handlers: async () => [
      {
        group: 'default',
        name: 'settle',
        tag: '00000000',
        sources: ['shop'],
        types: ['*'],
        sinceVersion: 1,
        untilVersion: undefined,
        firstSeenAt: 1,
      },
    ],
    events: {
      get: async (key): Promise<EventView> => ({ event: found(key), runs: [] }),
      list: async (query = {}) => {
        if (query.cursor) throw new HapaxError('invalid_cursor')
        const events = [...kept.values()]
          .filter(({ source }) => query.source === undefined || source === query.source)
          .map(({ body: _, ...event }) => ({ ...event, duplicates: 0, conflicts: 0 }))
        return { events, next: undefined }
      },
      history: async (key) => [{ kind: 'accepted', at: found(key).acceptedAt, event: key }],
    },
    runs: {
      get: async (id): Promise<RunView> => ({
        id,
        ...parseRunId(id),
        group: 'default',
        handler: 'settle',
        status: 'ready',
        state: undefined,
        steps: [],
        interventions: [],
        held: undefined,
        progress: undefined,
      }),
      list: async (query = {}) => {
        asked.push({ verb: 'list', id: '', detail: query })
        return { runs: [], next: undefined }
      },
      retry: verb('retry'),
      cancel: verb('cancel'),
      replay: verb('replay'),
      resolve: verb('resolve'),
      signal: (id, name, payload, options) => verb('signal')(id, { name, payload, ...options }),
      result: async () => undefined,
      redrive: async (request, intent) => {
        asked.push({ verb: 'redrive', id: '', detail: { ...request, ...intent } })
        return redrive
      },
      redriveStatus: async (id) => {
        if (id !== redrive.id) throw new HapaxError('not_found', { what: 'redrive' })
        return redrive
      },
      stopRedrive: async () => ({ ...redrive, state: 'stopped' }),
    },
    controls: {
      pause: async (what, name, intent) => {
        const pause = { what, name, since: 1, actor: intent.actor ?? 'library', reason: intent.reason }
        settings = { ...settings, version: settings.version + 1, paused: [...settings.paused, pause] }
        return { ...settings, matches }
      },
      resume: async (_what, name) => {
        settings = {
          ...settings,
          version: settings.version + 1,
          paused: settings.paused.filter((pause) => pause.name !== name),
        }
        return { ...settings, matches }
      },
      settings: async () => settings,
      dependencies: async () => [bank],
      dependency: async (name) => {
        if (name !== bank.name) throw new HapaxError('not_found', { what: 'dependency' })
        return bank
      },
      open: turn('open'),
      close: turn('close'),
      limit: async (name, wanted, intent) => {
        asked.push({ verb: 'limit', id: name, detail: { ...wanted, ...intent } })
        return { ...bank, name }
      },
      counts: async () => ({ events: kept.size, unclaimed: 0, standing: {}, rejected: [] }),
    },
    schedules: async () => [
      {
        name: 'nightly',
        group: 'default',
        cron: '0 3 * * *',
        timezone: 'Europe/Athens',
        missed: 'latest',
        nextAt: 1_764_032_400_000,
        last: undefined,
      },
    ],
    ready: async () => {
      if (fake.failWith) throw fake.failWith
      return { store: 'memory', durability: 'relaxed' }
    },
    start: async () => {},
    stop: async () => {},
  }
  return fake
}
