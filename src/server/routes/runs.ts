import type { VerbAnswer } from '../../engine/api.ts'
import { HapaxError } from '../../errors/hapax-error.ts'
import { runStatuses } from '../../event/run-status.ts'
import { type Answer, jsonAnswer } from '../../ingress/answer.ts'
import { limits } from '../../kit/limits.ts'
import {
  choices,
  type Fields,
  flag,
  instant,
  integer,
  type JsonSchema,
  json,
  only,
  optional,
  present,
  reason,
  text,
} from '../fields.ts'
import { none, type Route, route } from '../route.ts'
import { pageOf, ref } from '../schemas.ts'
import type { Served } from '../subject.ts'
import { actor, actorOf } from './actor.ts'

const params = { id: text("The run's id.", 64) }

const verbAnswers = {
  200: { description: 'The run’s owner applied it.', schema: ref('VerbAnswer') },
  202: { description: 'Not judged yet: look at Location.', schema: ref('VerbAnswer') },
}

/** What each verb's route says of itself. */
function verb<const Name extends string, B extends Fields>(
  name: Name,
  summary: string,
  body: B,
  bodyRules?: JsonSchema,
) {
  return {
    method: 'POST',
    path: `/v1/runs/{id}/${name}`,
    name: `${name}Run`,
    tag: 'runs',
    summary,
    params,
    query: none,
    body: { reason: reason(name), actor, ...body },
    ...(bodyRules && { bodyRules }),
    answers: verbAnswers,
    problems: ['not_found', 'reason_required', 'intervention_refused'],
  } as const
}

/** Reading runs, and the verbs on one run. */
export function runRoutes({ runs }: Served): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/runs',
      name: 'listRuns',
      tag: 'runs',
      summary:
        'Searches runs, newest settlement first; runs that never settled are not listed, but those that execute in this process, by the status running alone.',
      params: none,
      query: {
        tenant: optional(text('Whose.', limits.idBytes)),
        source: optional(text('Of events from this source.', limits.idBytes)),
        group: optional(text('Of this group.', limits.idBytes)),
        handler: optional(text('Of this handler.', limits.idBytes)),
        status: optional(
          choices('In one of these statuses, separated by commas. `ready` is not indexed and refused.', runStatuses),
        ),
        after: optional(instant('Settled after this.')),
        before: optional(instant('Settled before this.')),
        acceptedAfter: optional(instant('Of events accepted after this.')),
        acceptedBefore: optional(instant('Of events accepted before this.')),
        limit: optional(integer('Most on a page.', 1, limits.pageItems)),
        cursor: optional(text('Where the page before ended.', limits.headerLength)),
      },
      body: none,
      answers: { 200: { description: 'A page of runs.', schema: pageOf('runs', 'RunSummary') } },
      problems: ['invalid_cursor'],
      async handle({ query: { status, ...query } }) {
        return jsonAnswer(200, await runs.list(present({ ...query, statuses: status })))
      },
    }),
    route({
      method: 'GET',
      path: '/v1/runs/{id}',
      name: 'getRun',
      tag: 'runs',
      summary: 'One run: state, steps, errors, progress.',
      params,
      query: none,
      body: none,
      answers: { 200: { description: 'The run.', schema: ref('Run') } },
      problems: ['not_found'],
      handle: async ({ params: { id } }) => jsonAnswer(200, await runs.get(id)),
    }),
    route({
      ...verb('retry', 'Brings a waiting run forward; opens a new generation of a dead one, with its checkpoints.', {}),
      handle: async ({ params: { id }, body }) => verbAnswer('retry', await runs.retry(id, intentOf(body))),
    }),
    route({
      ...verb('cancel', 'Ends a run.', { undo: optional(flag('Whether its steps are undone.')) }),
      handle: async ({ params: { id }, body }) =>
        verbAnswer('cancel', await runs.cancel(id, { ...intentOf(body), ...present({ undo: body.undo }) })),
    }),
    route({
      ...verb(
        'replay',
        'Runs it again in a new generation, without its checkpoints or from a step on.',
        {
          fromStep: optional(text('Keeps the checkpoints before this step.', limits.stepNameLength)),
          of: optional(text('Its item, where it is one of a loop.', limits.stepNameLength)),
          newKeys: optional(flag('Whether its steps get new keys: their effects may then happen again.')),
        },
        { dependentRequired: { of: ['fromStep'] } },
      ),
      async handle({ params: { id }, body: { fromStep, of, newKeys, ...body } }) {
        const answer = await runs.replay(id, { ...intentOf(body), ...present({ fromStep, of, newKeys }) })
        return verbAnswer('replay', answer)
      },
    }),
    route({
      ...verb(
        'resolve',
        'Decides a step in doubt: by its result, or that it is repeated, or that it failed.',
        {
          step: text("The step's name.", limits.stepNameLength),
          of: optional(text('The item of a loop.', limits.stepNameLength)),
          result: json("The step's result."),
          repeat: optional(only('The step is tried again.')),
          fail: optional(only('The step failed.')),
        },
        { oneOf: decisions.map((name) => ({ required: [name] })) },
      ),
      async handle({ params: { id }, body }) {
        const intent = { ...intentOf(body), step: body.step, ...present({ of: body.of }) }
        return verbAnswer('resolve', await runs.resolve(id, { ...intent, ...decisionOf(body) }))
      },
    }),
    route({
      method: 'POST',
      path: '/v1/runs/{id}/signals/{name}',
      name: 'signalRun',
      tag: 'runs',
      summary: 'Sends a signal; it may come before the run waits for it.',
      params: { ...params, name: text("The signal's name.", limits.nameLength) },
      query: none,
      body: {
        payload: json('What `run.waitFor` resolves to.'),
        id: optional(text('Deduplicates signals of one name.', limits.idBytes)),
        actor,
      },
      answers: verbAnswers,
      problems: ['not_found', 'intervention_refused'],
      async handle({ params: { id, name }, body }) {
        const options = { actor: actorOf(body), ...present({ id: body.id }) }
        return verbAnswer('signal', await runs.signal(id, name, body.payload, options))
      },
    }),
  ]
}

function intentOf(body: { readonly reason: string; readonly actor: string | undefined }) {
  return { reason: body.reason, actor: actorOf(body) }
}

/** Exactly one of them is said. */
const decisions = ['result', 'repeat', 'fail'] as const

interface Decision {
  readonly result: unknown
  readonly repeat: true | undefined
  readonly fail: true | undefined
}

function decisionOf({ result, repeat, fail }: Decision) {
  const said = [result, repeat, fail].filter((value) => value !== undefined)
  if (said.length !== 1) throw new HapaxError('invalid_query', { reason: `one of ${decisions.join(', ')} is needed` })
  if (repeat) return { repeat }
  return fail ? { fail } : { result }
}

function verbAnswer(verb: string, answer: VerbAnswer): Answer {
  if (answer.outcome === 'refused') throw new HapaxError('intervention_refused', { verb, reason: answer.reason })
  if (answer.outcome === 'applied') return jsonAnswer(200, answer)
  return jsonAnswer(202, answer, { location: `/v1/runs/${encodeURIComponent(answer.run)}` })
}
