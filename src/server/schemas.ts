import { catalogue } from '../errors/catalogue.ts'
import { runStatuses } from '../event/run-status.ts'
import { missedTicks } from '../flow/schedule.ts'
import { circuitStates } from '../store/circuits.ts'
import type { JsonSchema } from './fields.ts'

/** The named shapes of openapi.json; `server/api-types` has the same for TypeScript. */

const string = { type: 'string' } as const
const count = { type: 'integer', minimum: 0 } as const
const instant = { type: 'number', description: 'Milliseconds since the Unix epoch.' } as const
const key = { type: 'string', minLength: 26, maxLength: 26 } as const
const status = { type: 'string', enum: runStatuses } as const

function shape(required: Readonly<Record<string, JsonSchema>>, others: Readonly<Record<string, JsonSchema>> = {}) {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...others } }
}

const list = (items: JsonSchema) => ({ type: 'array', items })

/** A reference to one of {@link schemas}. */
export function ref(name: keyof typeof schemas): JsonSchema {
  return { $ref: `#/components/schemas/${name}` }
}

const named = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

const identity = { tenant: string, source: string, id: string }
const fingerprint = shape({ keyId: count, hash: string })
const eventFields = {
  ...identity,
  key,
  position: count,
  shard: count,
  idSigned: { type: 'boolean' },
  type: string,
  contentType: string,
  registryVersion: count,
  acceptedAt: instant,
  headers: { type: 'object', additionalProperties: string },
}
const eventOptions = { subject: string, time: string, orderKey: string, fingerprint, unparsed: { const: true } }
const runFields = { id: string, handler: string, status }
const stepAddress = shape({ kind: string, name: string, of: string })

const settingsFields = {
  version: count,
  paused: list(named('Pause')),
  circuits: list(named('Circuit')),
  limits: list(named('LimitSetting')),
}
const circuitState = { type: 'string', enum: circuitStates } as const
const limitFields = {
  rate: { type: 'number', description: 'Calls a second over all nodes.' },
  concurrency: { type: 'integer', minimum: 1, description: 'Calls at once over all nodes.' },
} as const
const durability = {
  type: 'string',
  enum: ['local-fsync', 'replicated-fsync', 'replicated-memory', 'relaxed'],
} as const

export const schemas = {
  Problem: shape(
    {
      type: string,
      title: string,
      status: count,
      detail: string,
      code: { type: 'string', enum: Object.keys(catalogue) },
      cure: string,
      details: { type: 'object' },
    },
    {},
  ),
  Receipt: shape(
    {
      outcome: { type: 'string', enum: ['accepted', 'duplicate', 'conflict'] },
      durability,
      event: shape({ key, acceptedAt: instant }),
      runs: list(shape(runFields)),
    },
    { reason: { const: 'same_signed_content' } },
  ),
  BatchItem: { oneOf: [named('Receipt'), named('Problem')] },
  EventSummary: shape({ ...eventFields, duplicates: count, conflicts: count }, eventOptions),
  Event: shape(
    {
      event: shape(eventFields, {
        ...eventOptions,
        data: { description: 'The body, where it is JSON.' },
        bodyBase64: { type: 'string', contentEncoding: 'base64', description: 'The body, where it is not JSON.' },
      }),
      runs: list(shape({ ...runFields, group: string })),
    },
    {},
  ),
  HistoryEntry: shape({
    kind: {
      type: 'string',
      enum: ['accepted', 'duplicate', 'conflict', 'begin', 'checkpoint', 'settled', 'intervention'],
    },
    at: instant,
  }),
  RunState: shape(
    { status, since: instant, generation: count },
    {
      reason: string,
      dueAt: instant,
      dependency: { type: 'string', description: 'That it is parked for, or whose failure it retries.' },
      failing: shape({ times: count, since: instant }),
    },
  ),
  Run: shape(
    {
      ...runFields,
      event: key,
      group: string,
      steps: list(shape({ step: stepAddress, startedAt: instant, endedAt: instant })),
      interventions: list(shape({ key, verb: string, actor: string, at: instant })),
    },
    {
      state: named('RunState'),
      progress: shape({ fraction: { type: 'number' } }, { note: string }),
      held: shape({ reason: { type: 'string', enum: ['paused', 'behind', 'coalescing', 'circuit_open'] }, by: string }),
    },
  ),
  RunSummary: shape({
    run: shape({ event: key, position: count, tag: string }),
    handler: string,
    group: string,
    identity: shape(identity),
    type: string,
    state: named('RunState'),
  }),
  VerbAnswer: shape(
    { outcome: { type: 'string', enum: ['applied', 'pending'] }, run: string },
    { note: { const: 'to_the_back', description: 'It goes behind all others of its order key.' } },
  ),
  Redrive: shape(
    {
      id: string,
      state: { type: 'string', enum: ['running', 'done', 'stopped', 'failed'] },
      asked: count,
      applied: count,
      refused: count,
      refusals: { type: 'object', additionalProperties: count, description: 'How many for each reason.' },
      pending: count,
      failed: count,
      toTheBack: count,
    },
    { error: shape({ code: string, message: string }, { run: string }) },
  ),
  Pause: shape(
    {
      what: { type: 'string', enum: ['handler', 'source', 'dependency'] },
      name: string,
      since: instant,
      actor: string,
    },
    { reason: string },
  ),
  Circuit: shape(
    {
      dependency: string,
      version: count,
      state: circuitState,
      since: instant,
      openedAt: { ...instant, description: 'When calls last stopped. Milliseconds since the Unix epoch.' },
      reason: string,
      actor: string,
    },
    { probeAt: { ...instant, description: 'From when on somebody may probe; absent from one that is held open.' } },
  ),
  LimitSetting: shape({ dependency: string, since: instant, actor: string }, { reason: string, ...limitFields }),
  Dependency: shape(
    {
      name: string,
      circuit: circuitState,
      declared: shape({}, limitFields),
      limits: shape({}, limitFields),
      handlers: list(string),
      here: shape({ waiting: count, active: count, calls: count, failures: count }),
    },
    { turned: named('Circuit'), setting: named('LimitSetting'), paused: named('Pause') },
  ),
  Settings: shape(settingsFields),
  Pausing: shape({ ...settingsFields, matches: shape({ handlers: count, sources: count }) }),
  Ready: shape({ status: { const: 'ok' }, store: string, durability }),
  Counts: shape({
    events: count,
    unclaimed: count,
    standing: { type: 'object', additionalProperties: count },
    rejected: list(shape({ source: string, code: string, count })),
  }),
  Handler: shape(
    { name: string, group: string, sources: list(string), types: list(string) },
    { paused: named('Pause') },
  ),
  Schedule: shape(
    { name: string, group: string, cron: string, timezone: string, missed: { type: 'string', enum: missedTicks } },
    { nextAt: instant, last: shape({ at: instant, event: key }), paused: named('Pause') },
  ),
  Source: shape({ name: string, scheme: string, tenant: string, bodyBytes: count }, { paused: named('Pause') }),
} as const

/** An object with one list and, where there is more, the cursor of the next page. */
export function pageOf(name: string, item: keyof typeof schemas): JsonSchema {
  return shape({ [name]: list(ref(item)) }, { next: { type: 'string', description: 'Cursor of the next page.' } })
}

/** An object with one list. */
export function listOf(name: string, item: keyof typeof schemas): JsonSchema {
  return shape({ [name]: list(ref(item)) })
}
