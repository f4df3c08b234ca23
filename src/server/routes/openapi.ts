import { jsonAnswer } from '../../ingress/answer.ts'
import { openApiOf } from '../openapi-document.ts'
import { none, type Route, route } from '../route.ts'

/** The document of all routes, this one included. */
export function openApiRoute(others: readonly Route[]): Route {
  const self: Route = route({
    method: 'GET',
    path: '/openapi.json',
    name: 'openapi',
    tag: 'server',
    summary: 'This document.',
    params: none,
    query: none,
    body: none,
    answers: { 200: { description: 'OpenAPI 3.1.', schema: { type: 'object' } } },
    problems: [],
    handle: async () => jsonAnswer(200, openApiOf([...others, self])),
  })
  return self
}
