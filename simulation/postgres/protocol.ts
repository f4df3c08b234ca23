/** A message of PostgreSQL's protocol as it comes by the wire; the first of a connection has no type. */
export interface Message {
  readonly type: string
  readonly bytes: Buffer
}

/** Takes a stream of bytes apart into messages. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0)
  #isFirst: boolean

  /** @param side which side speaks: a client's first message has no type. */
  constructor(side: 'client' | 'server') {
    this.#isFirst = side === 'client'
  }

  /** The messages that are whole with this. */
  feed(chunk: Buffer): Message[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Message[] = []
    for (;;) {
      const from = this.#isFirst ? 0 : 1
      if (this.#rest.length < from + 4) return messages
      const length = from + this.#rest.readInt32BE(from)
      if (this.#rest.length < length) return messages
      const type = this.#isFirst ? '' : this.#rest.toString('latin1', 0, 1)
      messages.push({ type, bytes: this.#rest.subarray(0, length) })
      this.#rest = this.#rest.subarray(length)
      this.#isFirst = false
    }
  }
}

/** What a client sends before it waits for the server: a statement, its start, its farewell. */
export interface Group {
  readonly kind: 'start' | 'statement' | 'farewell'
  readonly text: string
  /** As they were sent: text, but for what is binary. */
  readonly params: readonly (string | Buffer | null)[]
  readonly bytes: Buffer
  /** Without the Sync that commits it; undefined where it cannot be sent so. */
  readonly uncommitted: Buffer | undefined
}

/** The function that a statement calls, without its version; else how it begins. */
export function nameOf({ text }: Group): string {
  return (
    /\.([a-z_]+)_\d+\(/.exec(text)?.[1] ??
    text
      .trim()
      .replaceAll(/"\w+"\./g, '')
      .replaceAll(/\s+/g, ' ')
      .slice(0, 40)
  )
}

/** Sync, which commits, and Flush, which has the server answer and does not. */
export const sync = Buffer.from([0x53, 0, 0, 0, 4])
const flush = Buffer.from([0x48, 0, 0, 0, 4])

/** A statement before the statement, in the same transaction: the last of its answers is a `C`. */
export function before(text: string): Buffer {
  const parse = Buffer.concat([Buffer.from(`\0${text}\0`), Buffer.from([0, 0])])
  const bind = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])
  const execute = Buffer.from([0, 0, 0, 0, 0])
  return Buffer.concat([message('P', parse), message('B', bind), message('E', execute)])
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const ends: ReadonlyMap<string, Group['kind']> = new Map([
  ['', 'start'],
  ['Q', 'statement'],
  ['S', 'statement'],
  ['X', 'farewell'],
])

/** Gathers a client's messages into groups. */
export class Groups {
  readonly #frames = new Frames('client')
  /** Texts of the statements that were named. */
  readonly #named = new Map<string, string>()
  #messages: Message[] = []

  feed(chunk: Buffer): Group[] {
    const groups: Group[] = []
    for (const message of this.#frames.feed(chunk)) {
      this.#messages.push(message)
      const kind = ends.get(message.type)
      if (!kind) continue
      groups.push(this.#group(kind, this.#messages))
      this.#messages = []
    }
    return groups
  }

  #group(kind: Group['kind'], messages: readonly Message[]): Group {
    let text = ''
    let params: Group['params'] = []
    for (const { type, bytes } of messages) {
      if (type === 'Q') text = new Reader(bytes, 5).text()
      if (type === 'P') {
        const reader = new Reader(bytes, 5)
        const name = reader.text()
        text = reader.text()
        this.#named.set(name, text)
      }
      if (type === 'B') {
        const bound = bind(bytes)
        text = this.#named.get(bound.statement) ?? text
        params = bound.params
      }
    }
    const all = messages.map(({ bytes }) => bytes)
    const isExtended = messages.at(-1)?.type === 'S'
    const uncommitted = isExtended ? Buffer.concat([...all.slice(0, -1), flush]) : undefined
    return { kind, text, params, bytes: Buffer.concat(all), uncommitted }
  }
}

function bind(bytes: Buffer): { readonly statement: string; readonly params: Group['params'] } {
  const reader = new Reader(bytes, 5)
  reader.text()
  const statement = reader.text()
  const formats = Array.from({ length: reader.int16() }, () => reader.int16())
  const params = Array.from({ length: reader.int16() }, (_, index) => {
    const value = reader.value()
    const isBinary = (formats.length === 1 ? formats[0] : formats[index]) === 1
    return value === null || isBinary ? value : value.toString()
  })
  return { statement, params }
}

/** The rows among a server's messages, as JavaScript has them. */
export function rowsOf(messages: readonly Message[]): Record<string, unknown>[] {
  let columns: { readonly name: string; readonly type: number }[] = []
  const rows: Record<string, unknown>[] = []
  for (const { type, bytes } of messages) {
    const reader = new Reader(bytes, 5)
    if (type === 'T') {
      columns = Array.from({ length: reader.int16() }, () => {
        const name = reader.text()
        reader.skip(6)
        const oid = reader.int32()
        reader.skip(8)
        return { name, type: oid }
      })
    }
    if (type === 'D') {
      reader.int16()
      rows.push(Object.fromEntries(columns.map((column) => [column.name, read(column.type, reader.value())])))
    }
  }
  return rows
}

/** The SQLSTATE that a server's messages tell, if one is an error. */
export function errorState(messages: readonly Message[]): string | undefined {
  const error = messages.find(({ type }) => type === 'E')
  return error && /\0C([0-9A-Z]{5})\0/.exec(`\0${error.bytes.toString('latin1', 5)}`)?.[1]
}

/** Which process of the server speaks, where its first messages say so. */
export function processOf(messages: readonly Message[]): number | undefined {
  return messages.find(({ type }) => type === 'K')?.bytes.readInt32BE(5)
}

const [booleanType, int8, int2, int4, float8, json, jsonb] = [16, 20, 21, 23, 701, 114, 3802]
const numbers: ReadonlySet<number> = new Set([int8, int2, int4, float8])

function read(type: number, value: Buffer | null): unknown {
  if (value === null) return null
  const text = value.toString()
  if (numbers.has(type)) return Number(text)
  if (type === booleanType) return text === 't'
  return type === json || type === jsonb ? JSON.parse(text) : text
}

class Reader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  value(): Buffer | null {
    const length = this.int32()
    if (length < 0) return null
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
