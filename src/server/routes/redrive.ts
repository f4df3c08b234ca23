import { jsonAnswer } from '../../ingress/answer.ts'
import { limits } from '../../kit/limits.ts'
import { flag, instant, integer, optional, present, reason, text } from '../fields.ts'
import { none, type Route, route } from '../route.ts'
import { ref } from '../schemas.ts'
import type { Served } from '../subject.ts'
import { actor, actorOf } from './actor.ts'

const params = { id: text("The redrive's id.", 64) }

/** Many at once. */
export function redriveRoutes({ runs }: Served): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/redrive',
      name: 'redrive',
      tag: 'runs',
      summary: 'Retries all dead runs, or gives unclaimed events to the handlers of now, by a filter and at a pace.',
      params: none,
      query: none,
      body: {
        reason: reason('redrive'),
        actor,
        source: optional(text('Of events from this source.', limits.idBytes)),
        handler: optional(text('Of this handler.', limits.idBytes)),
        tenant: optional(text('Whose.', limits.idBytes)),
        after: optional(instant('Accepted after this.')),
        before: optional(instant('Accepted before this.')),
        unclaimed: optional(flag('Events that no handler took, instead of dead runs.')),
        perSecond: optional(integer('Most a second. Default 100.', 1, 100_000)),
      },
      answers: { 202: { description: 'Under way: look at Location.', schema: ref('Redrive') } },
      problems: ['reason_required'],
      async handle({ body: { reason: why, actor: who, ...filter } }) {
        const redrive = await runs.redrive(present(filter), { reason: why, actor: actorOf({ actor: who }) })
        return jsonAnswer(202, redrive, { location: `/v1/redrive/${encodeURIComponent(redrive.id)}` })
      },
    }),
    route({
      method: 'GET',
      path: '/v1/redrive/{id}',
      name: 'getRedrive',
      tag: 'runs',
      summary: 'How far a redrive is.',
      params,
      query: none,
      body: none,
      answers: { 200: { description: 'The redrive.', schema: ref('Redrive') } },
      problems: ['not_found'],
      handle: async ({ params: { id } }) => jsonAnswer(200, await runs.redriveStatus(id)),
    }),
    route({
      method: 'POST',
      path: '/v1/redrive/{id}/stop',
      name: 'stopRedrive',
      tag: 'runs',
      summary: 'Stops a redrive; what was asked already stands.',
      params,
      query: none,
      body: none,
      answers: { 200: { description: 'The redrive.', schema: ref('Redrive') } },
      problems: ['not_found'],
      handle: async ({ params: { id } }) => jsonAnswer(200, await runs.stopRedrive(id)),
    }),
  ]
}
