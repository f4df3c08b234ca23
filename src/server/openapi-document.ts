import { catalogue, type ErrorCode } from '../errors/catalogue.ts'
import { problemType } from '../errors/problem.ts'
import type { Fields } from './fields.ts'
import type { Route } from './route.ts'
import { ref, schemas } from './schemas.ts'

/** Problems that any route may answer. */
const everywhere: readonly ErrorCode[] = ['invalid_query', 'host_refused', 'internal', 'store_unavailable']

/** Problems that any route with a JSON body may answer. */
const ofBodies: readonly ErrorCode[] = ['malformed_json', 'unsupported_media_type', 'too_large']

/** The OpenAPI 3.1 document of these routes: the same table that the server registers. */
export function openApiOf(routes: readonly Route[]): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Hapax',
      version: '1',
      summary: 'Every request or event handled once.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    tags: ['ingress', 'events', 'runs', 'controls', 'server'].map((name) => ({ name })),
    paths,
    components: { schemas },
  }
}

function operationOf(route: Route): Record<string, unknown> {
  const parameters = [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')]
  const body = requestBodyOf(route)
  return {
    operationId: route.name,
    summary: route.summary,
    tags: [route.tag],
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: body }),
    responses: { ...answersOf(route), ...problemsOf(route) },
  }
}

function parametersOf(fields: Fields, place: 'path' | 'query') {
  return Object.entries(fields).map(([name, field]) => ({
    name,
    in: place,
    required: place === 'path' || field.required,
    schema: field.schema,
  }))
}

function requestBodyOf(route: Route): Record<string, unknown> | undefined {
  if (route.rawBody) {
    return { required: true, content: Object.fromEntries(route.rawBody.map((type) => [type, {}])) }
  }
  const fields = Object.entries(route.body)
  if (fields.length === 0) return undefined
  const schema = {
    type: 'object',
    required: fields.filter(([, field]) => field.required).map(([name]) => name),
    properties: Object.fromEntries(fields.map(([name, field]) => [name, field.schema])),
    additionalProperties: false,
    ...route.bodyRules,
  }
  return { required: true, content: { 'application/json': { schema } } }
}

function answersOf(route: Route): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, { description, schema, mediaType }]) => [
      status,
      { description, content: { [mediaType ?? 'application/json']: { schema } } },
    ]),
  )
}

/** Problems by their status; one that shares its status with an answer is said beside it. */
function problemsOf(route: Route): Record<string, unknown> {
  const ofBody = Object.keys(route.body).length > 0 ? ofBodies : []
  const byStatus = Map.groupBy(new Set([...route.problems, ...ofBody, ...everywhere]), (code) => catalogue[code].status)
  const responses: Record<string, unknown> = {}
  for (const [status, codes] of byStatus) {
    const answer = route.answers[status]
    responses[status] = {
      description: [answer?.description, codes.map((code) => `\`${code}\``).join(', ')].filter(Boolean).join(' Or: '),
      content: {
        ...(answer && { [answer.mediaType ?? 'application/json']: { schema: answer.schema } }),
        [problemType]: { schema: ref('Problem') },
      },
    }
  }
  return responses
}
