import { isCalled, isLive } from '../../event/handler-record.ts'
import { jsonAnswer } from '../../ingress/answer.ts'
import { none, type Route, route } from '../route.ts'
import { listOf, ref } from '../schemas.ts'
import type { Served } from '../subject.ts'
import { pauseOf, pausingRoutes } from './pausing.ts'

/** Handlers, schedules and sources: what there is, and what an operator paused. */
export function controlRoutes(hapax: Served): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/handlers',
      name: 'listHandlers',
      tag: 'controls',
      summary: 'The handlers of every group.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'All handlers.', schema: listOf('handlers', 'Handler') } },
      problems: [],
      async handle() {
        const { paused } = await hapax.controls.settings()
        const handlers = (await hapax.handlers()).filter(isLive).map(({ name, group, sources, types }) => ({
          name,
          group,
          sources,
          types,
          ...pauseOf(paused, 'handler', (called) => isCalled({ group, name }, called)),
        }))
        return jsonAnswer(200, { handlers })
      },
    }),
    route({
      method: 'GET',
      path: '/v1/sources',
      name: 'listSources',
      tag: 'controls',
      summary: 'The configured sources; never their secrets.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'All sources.', schema: listOf('sources', 'Source') } },
      problems: [],
      async handle() {
        const { paused } = await hapax.controls.settings()
        const sources = hapax.sources.map(({ name, scheme, tenant, bodyBytes }) => ({
          name,
          scheme,
          tenant,
          bodyBytes,
          ...pauseOf(paused, 'source', (called) => called === name),
        }))
        return jsonAnswer(200, { sources })
      },
    }),
    route({
      method: 'GET',
      path: '/v1/schedules',
      name: 'listSchedules',
      tag: 'controls',
      summary: "This process's schedules, with their next and last ticks.",
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'All schedules.', schema: listOf('schedules', 'Schedule') } },
      problems: [],
      async handle() {
        const { paused } = await hapax.controls.settings()
        const schedules = (await hapax.schedules()).map((one) => ({
          ...one,
          ...pauseOf(paused, 'handler', (called) => isCalled(one, called)),
        }))
        return jsonAnswer(200, { schedules })
      },
    }),
    ...pausingRoutes(hapax, 'handler'),
    ...pausingRoutes(hapax, 'source'),
    route({
      method: 'GET',
      path: '/v1/settings',
      name: 'getSettings',
      tag: 'controls',
      summary: 'What operators set at run time.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'The settings.', schema: ref('Settings') } },
      problems: [],
      handle: async () => jsonAnswer(200, await hapax.controls.settings()),
    }),
    route({
      method: 'GET',
      path: '/v1/counts',
      name: 'getCounts',
      tag: 'controls',
      summary: 'Events, standing runs by status, and rejected requests.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'The counts.', schema: ref('Counts') } },
      problems: [],
      handle: async () => jsonAnswer(200, await hapax.controls.counts()),
    }),
  ]
}
