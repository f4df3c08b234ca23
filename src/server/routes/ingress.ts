import { HapaxError } from '../../errors/hapax-error.ts'
import { limits } from '../../kit/limits.ts'
import { text } from '../fields.ts'
import { none, type Route, route } from '../route.ts'
import { ref } from '../schemas.ts'

/**
 * `POST /in/{source}` for the document. The server answers it before its router is asked (`ingress/node-ingress`), since
 * the router's share of a request is a fifth of what the whole may cost; no request gets here.
 */
export function ingressRoute(): Route {
  return route({
    method: 'POST',
    path: '/in/{source}',
    name: 'receive',
    tag: 'ingress',
    summary: "Accepts a webhook: its sender's signature is checked on the raw bytes.",
    params: { source: text("The source's name.", limits.nameLength) },
    query: none,
    body: none,
    rawBody: ['*/*'],
    answers: {
      200: {
        description: "A duplicate, a conflict from a provider's source, or its challenge.",
        schema: ref('Receipt'),
      },
      202: { description: 'Accepted and durable.', schema: ref('Receipt') },
      409: { description: 'A conflict: the first event of this identity stands.', schema: ref('Receipt') },
    },
    problems: [
      'source_unknown',
      'signature_missing',
      'signature_invalid',
      'signature_stale',
      'malformed_json',
      'invalid_event',
      'identity_required',
      'unsupported_media_type',
      'too_large',
      'too_many_requests',
      'store_unavailable',
      'store_busy',
      'identity_in_flight',
    ],
    handle: () => Promise.reject(new HapaxError('source_unknown')),
  })
}
