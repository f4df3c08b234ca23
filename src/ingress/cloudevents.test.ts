import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { parseCloudEvents } from './cloudevents.ts'

const required = { specversion: '1.0', id: 'A234-1234-1234', source: 'shop', type: 'order.paid' }
const structured = (value: unknown) =>
  parseCloudEvents(
    { 'content-type': 'application/cloudevents+json; charset=utf-8' },
    Buffer.from(JSON.stringify(value)),
  )
const batched = (value: unknown) =>
  parseCloudEvents({ 'content-type': 'application/cloudevents-batch+json' }, Buffer.from(JSON.stringify(value)))
const binary = (headers: Record<string, string>, body = '{"a":1}') =>
  parseCloudEvents({ 'content-type': 'application/json', ...headers }, Buffer.from(body))
const binaryHeaders = Object.fromEntries(Object.entries(required).map(([name, value]) => [`ce-${name}`, value]))

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString()
const codeOf = (call: () => unknown): string => {
  try {
    call()
  } catch (error) {
    if (error instanceof HapaxError) return error.code
  }
  return 'none'
}

describe('cloudevents', () => {
  it('reads structured mode, the data as it was written', () => {
    const body =
      '{"specversion":"1.0","id":"1","source":"shop","type":"t","subject":"s","time":"2018-04-05T17:31:00Z",' +
      '"partitionkey":"customer 1","comexampleextension1":"value","count":5, "data" : {"amount": 0.1000000000000000055}}'
    const { mode, events } = parseCloudEvents({ 'content-type': 'application/cloudevents+json' }, Buffer.from(body))
    expect(mode).toBe('structured')
    expect({ ...events[0], body: text(events[0]?.body) }).toEqual({
      source: 'shop',
      id: '1',
      type: 't',
      subject: 's',
      time: '2018-04-05T17:31:00Z',
      orderKey: 'customer 1',
      contentType: 'application/json',
      headers: { 'ce-comexampleextension1': 'value', 'ce-count': '5' },
      body: '{"amount": 0.1000000000000000055}',
    })
  })

  it('reads binary mode, percent-encoded attributes too', () => {
    const { mode, events } = binary({ ...binaryHeaders, 'ce-subject': 'Euro%20%E2%82%AC', 'ce-traceparent': '00-1' })
    expect(mode).toBe('binary')
    expect({ ...events[0], body: text(events[0]?.body) }).toEqual({
      source: 'shop',
      id: 'A234-1234-1234',
      type: 'order.paid',
      subject: 'Euro €',
      contentType: 'application/json',
      headers: { 'ce-traceparent': '00-1' },
      body: '{"a":1}',
    })
  })

  it('reads a batch in its order', () => {
    const { mode, events } = batched([
      { ...required, id: '1', data: { n: 1 } },
      { ...required, id: '2', datacontenttype: 'text/plain', data: 'hello' },
      { ...required, id: '3', datacontenttype: 'application/x-thing', data_base64: 'AAEC' },
      { ...required, id: '4' },
    ])
    expect(mode).toBe('batched')
    expect(events.map((event) => [event.id, event.contentType, text(event.body)])).toEqual([
      ['1', 'application/json', '{"n":1}'],
      ['2', 'text/plain', 'hello'],
      ['3', 'application/x-thing', '\u0000\u0001\u0002'],
      ['4', 'application/json', 'null'],
    ])
    expect(batched([]).events).toEqual([])
  })

  it('reads no tenant: nothing here is signed', () => {
    const [event] = structured({ ...required, tenant: 'other' }).events
    expect(event).not.toHaveProperty('tenant')
    expect(event?.headers).toEqual({ 'ce-tenant': 'other' })
  })

  it.each([
    ['no id', { id: undefined }],
    ['an empty id', { id: '' }],
    ['an id that is a number', { id: 1 }],
    ['an id with a control character', { id: 'a\u0000b' }],
    ['no source', { source: undefined }],
    ['no type', { type: undefined }],
    ['specversion 0.3', { specversion: '0.3' }],
    ['no specversion', { specversion: undefined }],
    ['an extension in upper case', { myExtension: 'x' }],
    ['an extension of an object', { extension: {} }],
    ['an extension past 32 bits', { extension: 2_147_483_648 }],
    ['a time that is none', { time: 'yesterday' }],
    ['data twice', { data: 1, data_base64: 'AAEC' }],
    ['data_base64 that is none', { data_base64: '*' }],
    ['data_base64 with bits behind its end', { data_base64: '/+1=' }],
    ['text that is an object', { datacontenttype: 'text/plain', data: {} }],
    ['an attribute named __proto__', JSON.parse('{"__proto__":"x"}')],
  ])('refuses %s', (_name, change) => {
    const event = Object.fromEntries([...Object.entries(required), ...Object.entries(change)])
    const whole = JSON.stringify(Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined)))
    const send = (type: string, body: string) => () => parseCloudEvents({ 'content-type': type }, Buffer.from(body))
    expect(codeOf(send('application/cloudevents+json', whole))).toBe('invalid_event')
    expect(codeOf(send('application/cloudevents-batch+json', `[${JSON.stringify(required)},${whole}]`))).toBe(
      'invalid_event',
    )
  })

  it('names the place in a batch', () => {
    expect(() => batched([required, { ...required, id: '' }])).toThrow('event 1 of the batch: id')
  })

  it.each([
    ['a batch that is no array', () => batched(required)],
    ['a batch of too many', () => batched(Array.from({ length: 1_001 }, () => required))],
    ['an event that is no object', () => structured([required])],
    ['binary mode without attributes', () => binary({})],
    ['binary mode with ce-datacontenttype', () => binary({ ...binaryHeaders, 'ce-datacontenttype': 'a/b' })],
    ['broken percent-encoding', () => binary({ ...binaryHeaders, 'ce-subject': '%E2%82' })],
  ])('refuses %s', (_name, call) => {
    expect(codeOf(call)).toBe('invalid_event')
  })

  it('refuses formats and charsets that it does not know', () => {
    const send = (type: string) => () => parseCloudEvents({ 'content-type': type }, Buffer.from('{}'))
    expect(codeOf(send('application/cloudevents+avro'))).toBe('unsupported_media_type')
    expect(codeOf(send('application/cloudevents+json; charset=utf-16'))).toBe('unsupported_media_type')
  })

  it('passes on what strict JSON refuses', () => {
    const send = (body: string) => () =>
      parseCloudEvents({ 'content-type': 'application/cloudevents+json' }, Buffer.from(body))
    expect(codeOf(send('{"id":"1","id":"2"}'))).toBe('duplicate_key')
    expect(codeOf(send('{'))).toBe('malformed_json')
  })
})
