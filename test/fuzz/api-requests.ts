import fc from 'fast-check'
import { faultsOf, isRecord, misfitsOf, type Schema, valuesOf } from './json-schema.ts'

/** One operation of openapi.json. */
export interface Operation {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly params: readonly Parameter[]
  readonly query: readonly Parameter[]
  /** Of a JSON body, by name; undefined where it takes none. */
  readonly body:
    | {
        readonly required: readonly string[]
        readonly fields: Readonly<Record<string, Schema>>
        readonly rules: Schema
      }
    | undefined
  /** By status. */
  readonly responses: Readonly<Record<string, Schema>>
}

interface Parameter {
  readonly name: string
  readonly schema: Schema
}

/** A request as it goes over the socket. */
export interface ApiRequest {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What is wrong with it; undefined where it is as the document says. */
  readonly wrong: string | undefined
}

/** The text that a misfit holds: no answer may repeat it. */
export const canary = 'canary-of-the-input'

/** The operations of a document that take no body of their own kind. */
export function operationsOf(document: unknown): Operation[] {
  const paths = isRecord(document) && isRecord(document.paths) ? document.paths : {}
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(isRecord(methods) ? methods : {}).flatMap(([method, given]) => {
      if (!isRecord(given)) return []
      const content =
        isRecord(given.requestBody) && isRecord(given.requestBody.content) ? given.requestBody.content : {}
      if ('*/*' in content) return []
      const json = isRecord(content['application/json']) ? content['application/json'].schema : undefined
      return [
        {
          name: String(given.operationId),
          method: method.toUpperCase(),
          path,
          params: parametersOf(given, 'path'),
          query: parametersOf(given, 'query'),
          body: isRecord(json) ? bodyOf(json) : undefined,
          responses: schemasIn(given.responses),
        },
      ]
    }),
  )
}

function parametersOf(operation: Schema, place: string): Parameter[] {
  const list: readonly unknown[] = Array.isArray(operation.parameters) ? operation.parameters : []
  return list.flatMap((one) => {
    return isRecord(one) && one.in === place && isRecord(one.schema)
      ? [{ name: String(one.name), schema: one.schema }]
      : []
  })
}

function bodyOf(schema: Schema): Operation['body'] {
  return {
    required: Array.isArray(schema.required) ? schema.required.map(String) : [],
    fields: schemasIn(schema.properties),
    // Beyond the fields, which are drawn to fit.
    rules: Object.fromEntries(
      Object.entries(schema).filter(([name]) => name === 'oneOf' || name === 'dependentRequired'),
    ),
  }
}

function schemasIn(value: unknown): Record<string, Schema> {
  const entries = Object.entries(isRecord(value) ? value : {})
  return Object.fromEntries(entries.flatMap(([name, one]) => (isRecord(one) ? [[name, one] as const] : [])))
}

/** Requests that fit the operation. `known`: what there is, by the parameter's name. */
export function fitting(
  operation: Operation,
  known: Readonly<Record<string, readonly string[]>>,
): fc.Arbitrary<ApiRequest> {
  return partsOf(operation, known).map((parts) => requestOf(operation, parts, undefined))
}

interface Parts {
  readonly params: Readonly<Record<string, string>>
  readonly query: readonly (readonly [string, string])[]
  readonly body: Readonly<Record<string, unknown>> | undefined
}

function partsOf({ params, query, body }: Operation, known: Readonly<Record<string, readonly string[]>>) {
  const texts = (list: readonly Parameter[], all: boolean): fc.Arbitrary<(readonly [string, string])[]> =>
    fc
      .tuple(
        ...list.map(({ name, schema }) => {
          const there = known[name] ?? []
          const any = valuesOf(schema).map(String)
          const one = there.length > 0 ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...there) }, any) : any
          return all ? one : fc.option(one, { nil: undefined })
        }),
      )
      .map((values) => list.flatMap(({ name }, at) => (values[at] === undefined ? [] : [[name, values[at]] as const])))
  const members = Object.entries(body?.fields ?? {}).map(([name, schema]) => [name, valuesOf(schema)] as const)
  return fc.record<Parts>({
    params: texts(params, true).map((values) => Object.fromEntries(values)),
    query: texts(query, false),
    body: body
      ? fc
          .record(Object.fromEntries(members), { requiredKeys: [...body.required] })
          .filter((drawn) => faultsOf(body.rules, drawn, {}).length === 0)
      : fc.constant(undefined),
  })
}

function requestOf(
  { method, path }: Operation,
  { params, query, body }: Parts,
  wrong: string | undefined,
  text = body === undefined ? '' : JSON.stringify(body),
  contentType = 'application/json',
): ApiRequest {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const search = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  return {
    method,
    target: search === '' ? filled : `${filled}?${search}`,
    headers: text === '' ? {} : { 'content-type': contentType },
    body: text,
    wrong,
  }
}

/** Requests with one thing wrong. */
export function misfitting(
  operation: Operation,
  known: Readonly<Record<string, readonly string[]>>,
): fc.Arbitrary<ApiRequest> {
  const fits = partsOf(operation, known)
  const defects: fc.Arbitrary<ApiRequest>[] = []
  const add = (wrong: string, change: (parts: Parts) => ApiRequest) => {
    defects.push(fits.map((parts) => ({ ...change(parts), wrong })))
  }
  const withQuery = (wrong: string, change: (query: Parts['query']) => Parts['query']) =>
    add(wrong, (parts) => requestOf(operation, { ...parts, query: change(parts.query) }, wrong))
  const without = (query: Parts['query'], name: string) => query.filter(([one]) => one !== name)

  withQuery('a query that nobody knows', (query) => [...query, [canary, '1']])
  withQuery('__proto__ in the query', (query) => [...query, ['__proto__', canary]])
  for (const { name, schema } of operation.query) {
    for (const value of misfitsOf(schema, canary)) {
      if (typeof value === 'object') continue
      // From a query all is text: what a text would be, is one.
      if (schema.type === 'string' && !('enum' in schema) && !('pattern' in schema) && typeof value !== 'string')
        continue
      withQuery(`${name}=${String(value).slice(0, 20)} in the query`, (query) => [
        ...without(query, name),
        [name, String(value)],
      ])
    }
    withQuery(`${name} twice in the query`, (query) => [...without(query, name), [name, '1'], [name, '2']])
  }
  const { body } = operation
  if (!body) return fc.oneof(...defects)
  const withBody = (
    wrong: string,
    change: (body: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  ) => add(wrong, (parts) => requestOf(operation, { ...parts, body: change(parts.body ?? {}) }, wrong))
  withBody('a member that nobody knows', (members) => ({ ...members, [canary]: 1 }))
  for (const name of body.required) {
    withBody(`${name} left out`, (members) =>
      Object.fromEntries(Object.entries(members).filter(([one]) => one !== name)),
    )
  }
  for (const [name, schema] of Object.entries(body.fields)) {
    for (const value of misfitsOf(schema, canary)) {
      withBody(`${name}: ${JSON.stringify(value).slice(0, 20)}`, (members) => ({ ...members, [name]: value }))
    }
  }
  const withText = (wrong: string, text: (fit: string) => string, contentType?: string) =>
    add(wrong, (parts) => requestOf(operation, parts, wrong, text(JSON.stringify(parts.body)), contentType))
  withText('a body that is cut', (text) => text.slice(0, -1))
  withText('a body with more behind it', (text) => `${text}${canary}`)
  withText('a list for a body', (text) => `[${text}]`)
  withText('null for a body', () => 'null')
  withText('a name twice in the body', () => '{"actor":"a","actor":"b"}')
  withText('a body too deep', () => `{"actor":${'['.repeat(100)}${']'.repeat(100)}}`)
  withText('no content-type', (text) => text, '')
  withText('text/plain, which any page may send', (text) => text, 'text/plain')
  withText('a form', (text) => text, 'application/x-www-form-urlencoded')
  return fc.oneof(...defects)
}
