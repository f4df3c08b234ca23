import { jsonAnswer } from '../../ingress/answer.ts'
import { limits } from '../../kit/limits.ts'
import { integer, optional, rate, reason, text } from '../fields.ts'
import { none, type Route, route } from '../route.ts'
import { listOf, ref } from '../schemas.ts'
import type { Served } from '../subject.ts'
import { actor, actorOf } from './actor.ts'
import { pausingRoutes } from './pausing.ts'

const params = { name: text("The dependency's name.", limits.nameLength) }

const answers = { 200: { description: 'The dependency as it is now.', schema: ref('Dependency') } }

/** Dependencies: how their circuits and limits stand, and what operators set of them for all nodes. */
export function dependencyRoutes(hapax: Served): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/dependencies',
      name: 'listDependencies',
      tag: 'controls',
      summary: 'Every dependency that this process knows, or that an operator or a circuit has named, by name.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'All dependencies.', schema: listOf('dependencies', 'Dependency') } },
      problems: [],
      handle: async () => jsonAnswer(200, { dependencies: await hapax.controls.dependencies() }),
    }),
    route({
      method: 'GET',
      path: '/v1/dependencies/{name}',
      name: 'getDependency',
      tag: 'controls',
      summary: 'One dependency: its circuit, its limits, who uses it, and how it is used on this node.',
      params,
      query: none,
      body: none,
      answers: { 200: { description: 'The dependency.', schema: ref('Dependency') } },
      problems: ['not_found'],
      handle: async ({ params: { name } }) => jsonAnswer(200, await hapax.controls.dependency(name)),
    }),
    ...pausingRoutes(hapax, 'dependency'),
    turning(hapax, 'open', 'Opens the circuit on all nodes, and holds it open until it is closed: runs are parked.'),
    turning(hapax, 'close', 'Closes the circuit on all nodes, without a probe; what was parked comes back in waves.'),
    route({
      method: 'POST',
      path: '/v1/dependencies/{name}/limits',
      name: 'limitDependency',
      tag: 'controls',
      summary:
        'Sets limits over all nodes in the place of those that are declared; what is left out is as declared, with neither of the two all is again.',
      params,
      query: none,
      body: {
        reason: reason('limit'),
        rate: optional(rate('Calls over all nodes.')),
        concurrency: optional(integer('Calls at once over all nodes.', 1, Number.MAX_SAFE_INTEGER)),
        actor,
      },
      answers,
      problems: ['reason_required'],
      async handle({ params: { name }, body }) {
        const { rate, concurrency } = body
        const intent = { reason: body.reason, actor: actorOf(body) }
        return jsonAnswer(200, await hapax.controls.limit(name, { rate, concurrency }, intent))
      },
    }),
  ]
}

function turning(hapax: Served, verb: 'open' | 'close', summary: string): Route {
  return route({
    method: 'POST',
    path: `/v1/dependencies/{name}/${verb}`,
    name: `${verb}Dependency`,
    tag: 'controls',
    summary,
    params,
    query: none,
    body: { reason: reason(verb), actor },
    answers,
    problems: ['reason_required', 'store_busy'],
    async handle({ params: { name }, body }) {
      return jsonAnswer(200, await hapax.controls[verb](name, { reason: body.reason, actor: actorOf(body) }))
    },
  })
}
