import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogue } from '../../src/errors/catalogue.ts'
import { createHapax, dependency, Fatal, type Hapax, handler } from '../../src/index.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { silentLog } from '../../src/kit/log.ts'
import { systemRandom } from '../../src/kit/random.ts'
import { type HapaxServer, listen } from '../../src/server/server.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { RawConnection, rawRequest } from '../support/raw-http.ts'
import { signatureOf, signedSource } from '../support/signed-source.ts'
import { type ApiRequest, canary, fitting, misfitting, type Operation, operationsOf } from './api-requests.ts'
import { cases, seed } from './fuzz-run.ts'
import { mutated, mutation, node, written } from './json-grammar.ts'
import { faultsOf, isRecord, type Schema } from './json-schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-fuzz-api-'))
let hapax: Hapax
let server: HapaxServer
let operations: Operation[] = []
let schemas: Schema = {}
const known: Record<string, string[]> = {
  key: [],
  id: [],
  name: ['settle', 'wait', 'shop', 'go', 'bank'],
  status: ['dead'],
}
/** Accepts, verbs and settings that reached the store. */
let writes = 0

/** Counts what a request may write; what the engine writes by itself, on its way, does not count. */
function counting(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit')
        return (batch: Parameters<Store['commit']>[0]) => {
          writes += (batch.accept?.length ?? 0) + (batch.intervene?.length ?? 0)
          return target.commit(batch)
        }
      if (name === 'changeSetting')
        return (change: Parameters<Store['changeSetting']>[0]) => {
          writes++
          return target.changeSetting(change)
        }
      if (name === 'turnCircuit')
        return (turn: Parameters<Store['turnCircuit']>[0]) => {
          writes++
          return target.turnCircuit(turn)
        }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

beforeAll(async () => {
  const on = { source: 'orders' }
  // Nothing calls it: its circuit turns by requests alone.
  const uses = [dependency('bank', { rate: '5/m', concurrency: 2 })]
  const parts = { clock: systemClock, random: systemRandom(), log: silentLog }
  hapax = await createHapax({
    store: counting(await openStore(`sqlite:${join(folder, 'hapax.db')}`, parts)),
    sources: [signedSource()],
    handlers: [
      handler('settle', { ...on, on: 'settle', uses }, () => 'done'),
      handler('wait', { ...on, on: 'wait' }, (_event, run) => run.waitFor('go')),
      handler('die', { ...on, on: 'die' }, () => {
        throw new Fatal('no')
      }),
    ],
  })
  await hapax.start()
  server = await listen(hapax, { port: 0 })
  for (const type of ['settle', 'wait', 'die', 'unclaimed']) {
    const { event, runs } = await hapax.accept({ source: 'orders', id: type, type, data: { amount: 1 } })
    known.key?.push(event.key)
    known.id?.push(...runs.map(({ id }) => id))
  }
  const document: unknown = JSON.parse((await ask({ method: 'GET', target: '/openapi.json' })).text)
  operations = operationsOf(document)
  const components = isRecord(document) && isRecord(document.components) ? document.components : {}
  schemas = isRecord(components.schemas) ? components.schemas : {}
})

afterAll(async () => {
  await server.close()
  await hapax.stop()
  rmSync(folder, { recursive: true, force: true })
})

function operationOf(name: string): Operation {
  const found = operations.find((one) => one.name === name)
  if (!found) throw new TypeError(`no operation ${name}`)
  return found
}

interface Heard {
  readonly status: number | undefined
  readonly mediaType: string
  readonly text: string
}

async function ask(request: Pick<ApiRequest, 'method' | 'target'> & Partial<ApiRequest>): Promise<Heard> {
  const { method, target, headers = {}, body = '' } = request
  const lines = Object.entries({ host: 'localhost', ...headers, 'content-length': String(Buffer.byteLength(body)) })
  const head = `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  const answer = await rawRequest(server.url, Buffer.from(head + body))
  return {
    status: answer.status,
    mediaType: /^content-type: ([^;\r\n]+)/im.exec(answer.head)?.[1] ?? '',
    text: Buffer.from(answer.body, 'latin1').toString('utf8'),
  }
}

/** A problem document that says what is wrong, and nothing of what came or where it failed. */
function expectProblem({ status, mediaType, text }: Heard): string {
  expect(mediaType).toBe('application/problem+json')
  const problem: unknown = JSON.parse(text)
  expect(faultsOf({ $ref: '#/components/schemas/Problem' }, problem, schemas)).toEqual([])
  expect(problem).toMatchObject({ status })
  expect(text).not.toContain(canary)
  expect(text).not.toMatch(/\n {4}at |\\n {4}at /)
  const code: unknown = isRecord(problem) ? problem.code : undefined
  expect(Object.keys(catalogue)).toContain(code)
  return String(code)
}

/** What the document says of an answer. */
function expectDocumented({ responses }: Operation, heard: Heard): void {
  const documented = responses[String(heard.status)]
  expect({ status: heard.status, documented: documented !== undefined }).toMatchObject({ documented: true })
  const content = documented && isRecord(documented.content) ? documented.content : {}
  expect(Object.keys(content)).toContain(heard.mediaType)
  const described = content[heard.mediaType]
  if (!isRecord(described) || !isRecord(described.schema) || heard.mediaType === 'application/octet-stream') return
  expect(faultsOf(described.schema, JSON.parse(heard.text), schemas)).toEqual([])
}

/** Verbs that were judged and refused, and repeats, are on record: that is what the journal is for. */
const onRecord = ['intervention_refused', 'undo_unspecified']
const fromState = [...onRecord, 'not_found', 'source_unknown', 'invalid_cursor']

/** What the schema does not say: `running` is listed alone, `ready` not. */
const dependents = ['listRuns']

async function expectAlive(): Promise<void> {
  expect(await ask({ method: 'GET', target: '/readyz' })).toMatchObject({ status: 200 })
  expect(hapax.ingress.budget.heldBytes).toBe(0)
}

describe(`every operation of openapi.json (seed ${seed})`, () => {
  const each = (make: typeof fitting) =>
    fc.constantFrom(...operations).chain((one) => make(one, known).map((request) => ({ operation: one.name, request })))

  it('answers a request that fits the document as the document says', async () => {
    const reached = new Set<string>()
    await fc.assert(
      fc.asyncProperty(each(fitting), async ({ operation: name, request }) => {
        const operation = operationOf(name)
        const before = writes
        const heard = await ask(request)
        expectDocumented(operation, heard)
        if (heard.status !== undefined && heard.status < 300) reached.add(operation.name)
        else {
          const code = expectProblem(heard)
          const dependent = code === 'invalid_query' && dependents.includes(operation.name)
          if (!dependent) expect(fromState).toContain(code)
          if (!onRecord.includes(code)) expect(writes).toBe(before)
        }
      }),
      cases(400),
    )
    await expectAlive()
    // Not passed in emptiness.
    expect(reached.size).toBeGreaterThan(operations.length / 2)
  })

  it('refuses a request that does not fit, clearly, and writes nothing', async () => {
    const codes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(each(misfitting), async ({ operation: name, request }) => {
        const operation = operationOf(name)
        const before = writes
        const { events } = await hapax.controls.counts()
        const heard = await ask(request)
        expect(heard.status).toBeGreaterThanOrEqual(400)
        expect(heard.status).toBeLessThan(500)
        codes.add(expectProblem(heard))
        expectDocumented(operation, heard)
        expect(writes).toBe(before)
        expect((await hapax.controls.counts()).events).toBe(events)
      }),
      cases(1_200),
    )
    await expectAlive()
    for (const code of ['invalid_query', 'reason_required', 'malformed_json', 'unsupported_media_type'])
      expect(codes).toContain(code)
  })
})

describe(`ways in (seed ${seed})`, () => {
  const body = fc.tuple(node, fc.array(mutation, { maxLength: 2 })).map(([one, changes]) => {
    return changes.reduce(mutated, `{"id":"evt","type":"paid","canary":${written(one)}}`)
  })
  const expectTaken = async (request: ApiRequest) => {
    const before = { writes, events: (await hapax.controls.counts()).events }
    const heard = await ask(request)
    if (
      heard.status === 202 ||
      heard.status === 200 ||
      (heard.status === 409 && heard.mediaType === 'application/json')
    ) {
      expect(faultsOf({ $ref: '#/components/schemas/Receipt' }, JSON.parse(heard.text), schemas)).toEqual([])
      return
    }
    expect(heard.status).toBeGreaterThanOrEqual(400)
    expect(heard.status).toBeLessThan(500)
    expectProblem(heard)
    expect({ writes, events: (await hapax.controls.counts()).events }).toEqual(before)
  }

  it('a signed body is an event or refused, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const headers = { 'content-type': 'application/json', 'x-signature': signatureOf(text) }
        await expectTaken({ method: 'POST', target: '/in/shop', headers, body: text, wrong: undefined })
      }),
      cases(400),
    )
    await expectAlive()
  })

  it('a CloudEvent is an event or refused, whatever it is', async () => {
    const event = body.map((text) => text.replace('{"id"', '{"specversion":"1.0","source":"orders","id"'))
    const type = fc.constantFrom('application/cloudevents+json', 'application/cloudevents+json', 'application/json')
    await fc.assert(
      fc.asyncProperty(event, type, async (text, contentType) => {
        const headers = { 'content-type': contentType, 'ce-id': 'x' }
        await expectTaken({ method: 'POST', target: '/v1/events', headers, body: text, wrong: undefined })
      }),
      cases(400),
    )
    await expectAlive()
  })
})

describe(`targets (seed ${seed})`, () => {
  const piece = fc.constantFrom(
    ...[
      '/v1',
      '/in',
      '/events',
      '/runs',
      '/redrive',
      '/%',
      '/%zz',
      '/%00',
      '/%ff',
      '/..',
      '/.',
      '//',
      '/',
      '?',
      '?%',
      '&',
    ],
    ...[
      '?a=%zz',
      'limit=1',
      '&limit=2',
      '=',
      '#',
      ';',
      '\\',
      '*',
      '%2f',
      '__proto__',
      '/constructor',
      '/openapi.json',
      '/shop',
    ],
  )

  it('of any shape are answered, by the API or by a 4xx, and write nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'),
        fc.array(piece, { maxLength: 6 }),
        async (method, pieces) => {
          const before = writes
          const connection = await RawConnection.open(server.url)
          await connection.send(
            `${method} /${pieces.join('')} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
          )
          await connection.closed()
          const { status, head } = await connection.answer()
          const found = status ?? Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1])
          expect(found).toBeGreaterThanOrEqual(200)
          expect(found).toBeLessThan(500)
          expect(writes).toBe(before)
        },
      ),
      cases(400),
    )
    await expectAlive()
  })
})
