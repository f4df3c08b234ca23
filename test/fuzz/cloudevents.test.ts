import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../src/errors/catalogue.ts'
import { HapaxError } from '../../src/errors/hapax-error.ts'
import { type CloudEvents, parseCloudEvents } from '../../src/ingress/cloudevents.ts'
import { cases, seed } from './fuzz-run.ts'
import { faultsOf, mutated, mutation, node, written } from './json-grammar.ts'

const structured = { 'content-type': 'application/cloudevents+json; charset=utf-8' }
const batched = { 'content-type': 'application/cloudevents-batch+json' }

/** What it reads, or the code that it refuses with: always one that blames the sender. */
function read(headers: Readonly<Record<string, string>>, body: string | Uint8Array): CloudEvents | string {
  try {
    return parseCloudEvents(headers, typeof body === 'string' ? Buffer.from(body) : body)
  } catch (error) {
    if (!(error instanceof HapaxError)) throw error
    expect(catalogue[error.code].status).toBeGreaterThanOrEqual(400)
    expect(catalogue[error.code].status).toBeLessThan(500)
    return error.code
  }
}

const isClean = (text: string) => text.isWellFormed() && !/[\p{Cc}]/u.test(text)
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isClean)
const extensionName = fc
  .string({ unit: fc.constantFrom(...'abcxyz019'), minLength: 1, maxLength: 12 })
  .filter((name) => !/^(?:specversion|id|source|type|subject|time|data|datacontenttype|partitionkey)$/.test(name))
const extension = fc.oneof(text, fc.boolean(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))
const optional = <Value>(one: fc.Arbitrary<Value>) => fc.option(one, { nil: undefined })
const attributes = fc.record({
  id: text,
  source: text,
  type: text,
  subject: optional(text),
  time: optional(
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }).map((at) => at.toISOString()),
  ),
  partitionkey: optional(text),
  extensions: fc.dictionary(extensionName, extension, { maxKeys: 5, noNullPrototype: true }),
})
type Attributes = typeof attributes extends fc.Arbitrary<infer Value> ? Value : never
const clean = node.filter((one) => faultsOf(one).size === 0)
const space = fc.constantFrom('', ' ', '\n')

/** A structured event as text: its members in an order of their own, `data` as it is written. */
function structuredText(of: Attributes, data: string, gap: string) {
  const { extensions, ...core } = of
  const members = Object.entries({ specversion: '1.0', ...core, ...extensions }).filter(
    ([, value]) => value !== undefined,
  )
  const texts = members.map(([name, value]) => `${JSON.stringify(name)}${gap}:${gap}${JSON.stringify(value)}`)
  texts.splice(gap.length === 0 ? texts.length : 1, 0, `"data"${gap}:${gap}${data}`)
  return `${gap}{${texts.join(`${gap},${gap}`)}${gap}}${gap}`
}

function expectRead(found: CloudEvents['events'][number] | undefined, of: Attributes, body: string) {
  const { partitionkey: orderKey, extensions, ...core } = of
  expect({ ...found, body: undefined }).toEqual({
    ...Object.fromEntries(Object.entries({ ...core, orderKey }).filter(([, value]) => value !== undefined)),
    contentType: 'application/json',
    headers: Object.fromEntries(Object.entries(extensions).map(([name, value]) => [`ce-${name}`, String(value)])),
    body: undefined,
  })
  expect(Buffer.from(found?.body ?? []).toString()).toBe(body)
}

describe(`CloudEvents (seed ${seed})`, () => {
  it('structured: every attribute arrives, and the data byte for byte', () => {
    fc.assert(
      fc.property(attributes, clean, space, (one, data, gap) => {
        const found = read(structured, structuredText(one, written(data), gap))
        if (typeof found === 'string') throw new TypeError(`refused as ${found}`)
        expect(found.mode).toBe('structured')
        expectRead(found.events[0], one, written(data))
      }),
      cases(1_000),
    )
  })

  it('batched: each by itself, in its order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(attributes, clean, space), { maxLength: 5 }), space, (list, gap) => {
        const texts = list.map(([one, data, inner]) => structuredText(one, written(data), inner))
        const found = read(batched, `${gap}[${texts.join(`${gap},`)}${gap}]${gap}`)
        if (typeof found === 'string') throw new TypeError(`refused as ${found}`)
        expect(found.events).toHaveLength(list.length)
        for (const [at, [one, data]] of list.entries()) expectRead(found.events[at], one, written(data))
      }),
      cases(300),
    )
  })

  it('binary: percent-encoded attributes arrive decoded, the body as it is', () => {
    fc.assert(
      fc.property(attributes, fc.uint8Array({ maxLength: 30 }), (one, body) => {
        const { partitionkey, extensions, ...core } = one
        const all = Object.entries({ specversion: '1.0', ...core, partitionkey, ...extensions })
        const headers = all.flatMap(([name, value]) =>
          value === undefined ? [] : [[`ce-${name}`, encodeURIComponent(String(value))] as const],
        )
        const found = read({ 'content-type': 'Text/Plain; x=y', ...Object.fromEntries(headers) }, body)
        if (typeof found === 'string') throw new TypeError(`refused as ${found}`)
        const [event] = found.events
        expect([event?.id, event?.source, event?.type, event?.subject, event?.orderKey]).toEqual([
          one.id,
          one.source,
          one.type,
          one.subject,
          partitionkey,
        ])
        expect([event?.contentType, Buffer.from(event?.body ?? []).toString('hex')]).toEqual([
          'text/plain',
          Buffer.from(body).toString('hex'),
        ])
      }),
      cases(500),
    )
  })

  it('base64 data is bytes; data beside it, or of another alphabet, is refused', () => {
    fc.assert(
      fc.property(attributes, fc.uint8Array({ maxLength: 40 }), fc.string({ maxLength: 8 }), (one, bytes, strange) => {
        const encoded = Buffer.from(bytes).toString('base64')
        const event = { specversion: '1.0', id: one.id, source: one.source, type: one.type }
        const found = read(structured, JSON.stringify({ ...event, data_base64: encoded }))
        if (typeof found === 'string') throw new TypeError(`refused as ${found}`)
        expect(Buffer.from(found.events[0]?.body ?? []).toString('base64')).toBe(encoded)
        expect(read(structured, JSON.stringify({ ...event, data: 1, data_base64: encoded }))).toBe('invalid_event')
        if (!strange.isWellFormed()) return
        const other = read(structured, JSON.stringify({ ...event, data_base64: strange }))
        if (typeof other !== 'string') expect(Buffer.from(strange, 'base64').toString('base64')).toBe(strange)
      }),
      cases(500),
    )
  })

  it('whatever else comes is read, or refused by a code that blames the sender', () => {
    const type = fc.oneof(
      fc.constantFrom(
        ...['application/cloudevents+json', 'application/cloudevents-batch+json', 'application/json', ''],
      ),
      fc.constantFrom(
        'application/cloudevents+avro',
        'application/cloudevents+json;charset=utf-16',
        ';',
        'APPLICATION/CloudEvents+JSON',
      ),
    )
    // One or two attributes of an event that else is right: so that what is wrong is what is judged.
    const names = [
      'id',
      'source',
      'type',
      'specversion',
      'time',
      'subject',
      'partitionkey',
      'x',
      '',
      'X',
      'datacontenttype',
    ]
    const oddText = fc.oneof(
      fc.constantFrom('1.0', '%', '%zz', '%00', '%0a', '%C2%85', '%ED%A0%80', '', '2026-01-01T00:00:00Z'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    )
    const oddHeaders = fc
      .dictionary(fc.constantFrom(...names), oddText, { maxKeys: 2 })
      .map((odd) => Object.entries({ specversion: '1.0', id: 'i', source: 's', type: 't', ...odd }))
      .map((attributes) => Object.fromEntries(attributes.map(([name, value]) => [`ce-${name}`, value])))
    const odd = fc.tuple(attributes, clean, fc.array(mutation, { maxLength: 3 })).map(([one, data, changes]) => {
      return changes.reduce(mutated, structuredText(one, written(data), ''))
    })
    const oddValue = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('', '\u0000', 'a\nb', '\u0085', 'x\u007f', '2026-13-01T00:00:00Z', 'AAA', 'AAAA'),
    )
    const strangeMember = fc
      .tuple(fc.constantFrom(...names, 'data_base64', 'data', '__proto__'), oddValue)
      .map(([name, value]) => ({ specversion: '1.0', id: 'i', source: 's', type: 't', [name]: value }))
      .map((event) => JSON.stringify(event))
    const body = fc.oneof(odd, strangeMember, node.map(written), fc.uint8Array({ maxLength: 30 }))
    fc.assert(
      fc.property(type, oddHeaders, body, (contentType, headers, bytes) => {
        const found = read({ ...headers, 'content-type': contentType }, bytes)
        if (typeof found === 'string') return
        for (const event of found.events) {
          for (const attribute of [
            event.id ?? '',
            event.source,
            event.type,
            event.subject ?? 'x',
            event.orderKey ?? 'x',
          ]) {
            expect(attribute !== '' && isClean(attribute)).toBe(true)
          }
          if (event.time !== undefined) expect(event.time).toMatch(/^\d{4}-\d\d-\d\d[Tt]/)
        }
      }),
      cases(3_000),
    )
  })
})
