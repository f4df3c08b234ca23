import { HapaxError } from '../../errors/hapax-error.ts'
import { jsonAnswer } from '../../ingress/answer.ts'
import { none, type Route, route } from '../route.ts'
import { ref } from '../schemas.ts'
import type { Served } from '../subject.ts'

const ok = { type: 'object', required: ['status'], properties: { status: { const: 'ok' } } }

/** Whether the process lives, and whether it should get traffic. */
export function healthRoutes(hapax: Served, isStopping: () => boolean): Route[] {
  return [
    route({
      method: 'GET',
      path: '/healthz',
      name: 'health',
      tag: 'server',
      summary: 'The process answers. Says nothing of the store: restarting would not mend it.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'It lives.', schema: ok } },
      problems: [],
      handle: async () => jsonAnswer(200, { status: 'ok' }),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      name: 'ready',
      tag: 'server',
      summary: 'The store commits (a write proves it, at most once a second), and the process is not stopping.',
      params: none,
      query: none,
      body: none,
      answers: { 200: { description: 'Send traffic.', schema: ref('Ready') } },
      problems: ['engine_stopped', 'store_unavailable', 'store_busy'],
      async handle() {
        if (isStopping()) throw new HapaxError('engine_stopped')
        return jsonAnswer(200, { status: 'ok', ...(await hapax.ready()) })
      },
    }),
  ]
}
