import { systemClock } from '../kit/clock.ts'
import type { HttpIngress } from './http-ingress.ts'
import { type NodeListener, nodeIngress } from './node-ingress.ts'

export type { NodeListener } from './node-ingress.ts'

/**
 * `hapax/node`: a Hapax as a listener for `node:http`, Express 5 and Fastify 5. It answers `…/in/{source}`, below any
 * prefix, and hands all else to `next` (404 without one). Mount it before body parsers: signatures are made over raw
 * bytes, and a body that was read before is `raw_body_missing`.
 *
 * @example
 * createServer(toNodeListener(hapax))                                     // node:http
 * app.use('/hooks', toNodeListener(hapax))                                // Express, before express.json()
 * fastify.addHook('onRequest', (request, reply, done) => listener(request.raw, reply.raw, done))   // Fastify
 */
export function toNodeListener(hapax: { readonly ingress: HttpIngress }): NodeListener {
  return nodeIngress(hapax.ingress, { clock: systemClock, anywhere: true })
}
