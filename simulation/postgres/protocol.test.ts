import { expect, it } from 'vitest'
import { errorState, Frames, Groups, type Message, nameOf, processOf, rowsOf, sync } from './protocol.ts'

function message(type: string, ...parts: readonly (string | number | Buffer)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(`${part}\0`)
      if (typeof part !== 'number') return part
      const number = Buffer.alloc(2)
      number.writeInt16BE(part)
      return number
    }),
  )
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type, 'latin1'), length, body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const start = message('', Buffer.from([0, 3, 0, 0]), 'user', 'hapax', Buffer.from([0]))
const parse = message('P', 'named', 'select * from "s".commit_1($1, $2, $3)', 0)
const bound = message(
  'B',
  '',
  'named',
  3,
  0,
  1,
  0,
  3,
  int32(2),
  Buffer.from('42'),
  int32(1),
  Buffer.from([7]),
  int32(-1),
  0,
)
const execute = message('E', '', int32(0))

it('gathers what a client sends into groups, wherever the bytes are cut', () => {
  const all = Buffer.concat([
    start,
    parse,
    bound,
    execute,
    sync,
    bound,
    execute,
    sync,
    message('Q', 'listen "x"'),
    message('X'),
  ])
  for (let size = 1; size <= all.length; size++) {
    const groups = new Groups()
    const found = []
    for (let from = 0; from < all.length; from += size) found.push(...groups.feed(all.subarray(from, from + size)))
    expect(found.map(({ kind }) => kind)).toEqual(['start', 'statement', 'statement', 'statement', 'farewell'])
    expect(Buffer.concat(found.map(({ bytes }) => bytes))).toEqual(all)
    // By its name, the second time.
    expect(found.map(nameOf)).toEqual(['', 'commit', 'commit', 'listen "x"', ''])
    expect(found[2]?.params).toEqual(['42', Buffer.from([7]), null])
    // A statement can be had without its commit: a Flush in place of the Sync.
    expect(found[1]?.uncommitted).toEqual(Buffer.concat([parse, bound, execute, message('H')]))
    expect(found[3]?.uncommitted).toBeUndefined()
  }
})

it('reads what a server says', () => {
  const column = (name: string, type: number) => [name, int32(0), 0, int32(type), 0, int32(0), 0] as const
  const said = Buffer.concat([
    message('K', int32(4_711), int32(1)),
    message('T', 4, ...column('number', 20), ...column('list', 3_802), ...column('yes', 16), ...column('none', 25)),
    message('D', 4, int32(2), Buffer.from('17'), int32(5), Buffer.from('[1,2]'), int32(1), Buffer.from('t'), int32(-1)),
    message('E', 'SERROR', 'C57014', 'Mcanceling statement', Buffer.from([0])),
  ])
  const frames = new Frames('server')
  const messages: Message[] = [...frames.feed(said.subarray(0, 30)), ...frames.feed(said.subarray(30))]
  expect(messages.map(({ type }) => type).join('')).toBe('KTDE')
  expect(rowsOf(messages)).toEqual([{ number: 17, list: [1, 2], yes: true, none: null }])
  expect(processOf(messages)).toBe(4_711)
  expect(errorState(messages)).toBe('57014')
  expect(errorState(messages.slice(0, 3))).toBeUndefined()
})
