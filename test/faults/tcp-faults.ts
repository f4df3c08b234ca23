import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { sleep, systemClock } from '../../src/kit/clock.ts'

/** What happens to one connection. Bytes are counted in the direction that is named. */
export type Fault =
  | { readonly kind: 'none' }
  /** Both sides are reset once so many bytes have passed. */
  | { readonly kind: 'cut'; readonly direction: 'request' | 'reply'; readonly afterBytes: number }
  /** The server is gone, and the client does not hear of it. */
  | { readonly kind: 'half_open' }
  /** Nothing that the client sends arrives, and nothing comes back. */
  | { readonly kind: 'black_hole' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** What the client sent is sent once more, over a connection of its own, when the first is over. */
  | { readonly kind: 'replay' }

/** `Sync` of PostgreSQL's protocol: a statement that was bound and executed is committed by it. */
const syncMessage = Buffer.from([0x53, 0, 0, 0, 4])

/** Stands between a client and a server on loopback, and does to each connection what the next fault says. */
export class TcpFaults {
  readonly #upstreamPort: number
  readonly #server: Server
  readonly #faults: Fault[] = []
  readonly #open = new Set<Socket>()
  readonly #replays: Promise<unknown>[] = []
  #done = 0
  #silent = false
  readonly #passing = new Set<{ silent: boolean }>()
  readonly #heldBack: (() => void)[] = []
  #holdsEnds = false

  constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client))
  }

  /** Listens; resolves to its port. */
  async start(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** The faults of the next connections, one each; those after them have none. */
  next(...faults: readonly Fault[]): void {
    this.#faults.push(...faults)
  }

  /** From now on nothing passes, on what is open or on what comes, and nobody is told. */
  silence(): void {
    this.#silent = true
    for (const connection of this.#passing) connection.silent = true
  }

  /** Connections that come from now on are as ever; those of before stay silent. */
  heal(): void {
    this.#silent = false
  }

  /**
   * From now on the last message of what a client of PostgreSQL asks, which ends the transaction, stays here: as if its client
   * had been stopped, or its network lost, before it was sent.
   */
  holdEnds(): void {
    this.#holdsEnds = true
  }

  /** Sends on what was held back; what comes from now on is as ever. */
  releaseEnds(): void {
    this.#holdsEnds = false
    for (const send of this.#heldBack.splice(0)) send()
  }

  /** So many connections had a fault. */
  get done(): number {
    return this.#done
  }

  /** Resolves when all that was replayed is answered. */
  async replayed(): Promise<void> {
    await Promise.all(this.#replays)
  }

  async stop(): Promise<void> {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
    await once(this.#server, 'close')
  }

  #serve(client: Socket): void {
    const fault = this.#faults.shift() ?? { kind: this.#silent ? 'black_hole' : 'none' }
    if (fault.kind !== 'none') this.#done++
    this.#keep(client)
    if (fault.kind === 'black_hole') {
      client.resume()
      return
    }
    const server = this.#keep(connect({ port: this.#upstreamPort, host: '127.0.0.1', allowHalfOpen: true }))
    const both = () => {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
    if (fault.kind === 'half_open') {
      client.once('data', () => server.resetAndDestroy())
      client.resume()
      return
    }
    const sent: Buffer[] = []
    let left = fault.kind === 'cut' ? fault.afterBytes : Number.POSITIVE_INFINITY
    const delayMs = fault.kind === 'delay' ? fault.delayMs : 0
    const connection = { silent: false }
    this.#passing.add(connection)
    client.once('close', () => this.#passing.delete(connection))
    const pass = (from: Socket, to: Socket, isCut: boolean) => {
      let before: Promise<unknown> = Promise.resolve()
      const inTurn = (act: () => void) => {
        if (delayMs === 0) act()
        else before = before.then(() => sleep(systemClock, delayMs)).then(act)
      }
      from.on('data', (bytes: Buffer) => {
        if (connection.silent) return
        let part = isCut ? bytes.subarray(0, left) : bytes
        if (isCut) left -= part.length
        if (this.#holdsEnds && from === client && part.subarray(-syncMessage.length).equals(syncMessage)) {
          part = part.subarray(0, -syncMessage.length)
          this.#heldBack.push(() => !to.destroyed && to.write(syncMessage))
        }
        inTurn(() => {
          if (!to.destroyed) to.write(part, () => isCut && left <= 0 && both())
        })
      })
      from.on('end', () => inTurn(() => to.end()))
      from.on('close', () => inTurn(() => to.destroy()))
    }
    pass(client, server, fault.kind === 'cut' && fault.direction === 'request')
    pass(server, client, fault.kind === 'cut' && fault.direction === 'reply')
    if (fault.kind !== 'replay') return
    client.on('data', (bytes: Buffer) => sent.push(bytes))
    this.#replays.push(once(client, 'close').then(() => this.#replay(Buffer.concat(sent))))
  }

  async #replay(bytes: Buffer): Promise<void> {
    const socket = this.#keep(connect({ port: this.#upstreamPort, host: '127.0.0.1' }))
    socket.write(bytes)
    await once(socket, 'data')
    socket.destroy()
  }

  #keep(socket: Socket): Socket {
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
    // A reset is what these connections are for.
    socket.on('error', () => undefined)
    return socket
  }
}
