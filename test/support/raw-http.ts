import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a server sent on a bare socket. */
export interface RawAnswer {
  /** Undefined where it closed without an answer. */
  readonly status: number | undefined
  readonly head: string
  readonly body: string
  /** Whether the server closed the connection. */
  readonly closed: boolean
}

/** A connection that sends bytes as they are given, however wrong they are. */
export class RawConnection {
  readonly #socket: Socket
  #received = ''
  #closed = false
  #wake = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#wake()
    })
    // A reset after the answer is how a server closes on a sender that goes on sending.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  /** Sends; resolves once the bytes left, or the connection is gone. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) resolve()
      // A turn of the event loop between two writes: a write to a dead socket fails at once, for ever, before its close is told.
      else this.#socket.write(bytes, () => setImmediate(resolve))
    })
  }

  /** The next whole answer, or what there was when the server closed. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const whole = this.#take()
      if (whole) return whole
      if (this.#closed) return { status: undefined, head: this.#received, body: '', closed: true }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Resolves once the server has closed. */
  async closed(): Promise<void> {
    while (!this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  get isClosed(): boolean {
    return this.#closed
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const head = this.#received.slice(0, end)
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    const total = end + 4 + length
    if (this.#received.length < total) return undefined
    const body = this.#received.slice(end + 4, total)
    this.#received = this.#received.slice(total)
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), head, body, closed: this.#closed }
  }
}

/** Sends one request and waits for its answer. */
export async function rawRequest(url: string, bytes: string | Uint8Array): Promise<RawAnswer> {
  const connection = await RawConnection.open(url)
  await connection.send(bytes)
  const answer = await connection.answer()
  connection.destroy()
  return answer
}
