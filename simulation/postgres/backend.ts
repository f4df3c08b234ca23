import { createConnection, type Socket } from 'node:net'
import { errorState, Frames, type Group, type Message, processOf } from './protocol.ts'

/** What the server said to one group, to its end. */
export interface Said {
  readonly messages: readonly Message[]
  readonly bytes: Buffer
  /** SQLSTATE of its error. */
  readonly error: string | undefined
}

/** Whom a connection's process tells what it says. */
export interface BackendListener {
  /** It has carried out what was sent without its commit. */
  executed(error: string | undefined): void
  /** It is ready for the next. */
  answered(said: Said): void
  notified(bytes: Buffer): void
  /** It is gone, and this was the last that it said. */
  ended(bytes: Buffer): void
}

/** What a process is waited for. */
type Awaited = 'ready' | 'executed' | 'end'

/** A connection's process in the server, and what virtual time waits for of it. */
export class Backend {
  pid: number | undefined
  /** It hears notifications. */
  listens = false
  /** What it was given last. */
  group: Group | undefined
  /** Resolves when it is. */
  readonly gone: Promise<void>
  readonly #socket: Socket
  readonly #frames = new Frames('server')
  readonly #listener: BackendListener
  readonly #changed: () => void
  #awaited: Awaited | undefined
  #notifications = 0
  /** It waits for a lock that another transaction holds: virtual time may go on. */
  #isBlocked = false
  #blockedSinceMs: number | undefined
  #said: Message[] = []
  #heldBack: Said | undefined
  #isGone = false
  /** What it answers is of the statement before. */
  #isBefore = false

  constructor(place: { readonly host: string; readonly port: number }, listener: BackendListener, changed: () => void) {
    this.#listener = listener
    this.#changed = changed
    this.#socket = createConnection(place)
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => {
      for (const message of this.#frames.feed(Buffer.from(chunk))) this.#hear(message)
    })
    // What it had to say came before; that it broke off is told by its end.
    this.#socket.on('error', () => {})
    this.gone = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.#end()
        resolve()
      })
    })
  }

  /** Something is under way in it that virtual time must not overtake. */
  get isRunning(): boolean {
    return !this.#isGone && !this.#isBlocked && (this.#awaited !== undefined || this.#notifications > 0)
  }

  /** It has work, and waits for somebody else's lock. */
  get isWaiting(): boolean {
    return !this.#isGone && this.#isBlocked
  }

  /** It has done what it was given so far. */
  get isAtRest(): boolean {
    return this.#awaited === undefined
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** It waits for a lock. Says whether it has just begun to. */
  block(nowMs: number): boolean {
    const isNew = this.#blockedSinceMs === undefined
    this.#isBlocked = true
    this.#blockedSinceMs ??= nowMs
    return isNew
  }

  /** Whether it still waits must be asked again. */
  lookAgain(): void {
    this.#isBlocked = false
  }

  /** Gives it a statement, behind another one that is nobody's. */
  giveBehind(before: Buffer, bytes: Buffer, awaited: Awaited): void {
    this.#isBefore = true
    this.give(Buffer.concat([before, bytes]), awaited)
  }

  /** Gives it these bytes, and waits for what they bring. */
  give(bytes: Buffer, awaited: Awaited): void {
    if (this.#isGone) return
    this.#awaited = awaited
    this.#socket.write(bytes)
  }

  /** A notification is on its way to it. */
  expectNotification(): void {
    if (!this.#isGone && this.#awaited !== 'end') this.#notifications++
  }

  /** Its client is gone: it ends when it has done what it was given. */
  end(): void {
    if (this.#isGone) return
    this.#awaited = 'end'
    this.#socket.end()
  }

  #hear(message: Message): void {
    if (message.type === 'A') {
      // It may be here before the one who notified has heard that he did.
      this.#notifications--
      this.#listener.notified(message.bytes)
      this.#changed()
      return
    }
    if (this.#isBefore && '12DC'.includes(message.type)) {
      this.#isBefore = message.type !== 'C'
      return
    }
    this.#isBefore = false
    this.#said.push(message)
    if (message.type === 'C' || message.type === 'E') this.#executed(message)
    if (message.type !== 'Z') return
    const messages = this.#said
    this.#said = []
    this.pid ??= processOf(messages)
    const waited = this.#blockedSinceMs !== undefined
    this.#isBlocked = false
    if (this.#awaited !== 'end') this.#awaited = undefined
    const said = { messages, bytes: bytesOf(messages), error: errorState(messages) }
    if (waited) this.#heldBack = said
    else this.#listener.answered(said)
    this.#changed()
  }

  /** Since when it has waited for another one's lock, before it said what is held back. */
  get heldBackSinceMs(): number | undefined {
    return this.#heldBack && this.#blockedSinceMs
  }

  /** What it said is told: whoever it waited for was heard before. */
  tell(): void {
    const said = this.#heldBack
    this.#heldBack = undefined
    this.#blockedSinceMs = undefined
    if (said) this.#listener.answered(said)
  }

  #executed(message: Message): void {
    if (this.#awaited !== 'executed') return
    this.#awaited = undefined
    this.#goesOn()
    this.#listener.executed(errorState([message]))
    this.#changed()
  }

  #goesOn(): void {
    this.#isBlocked = false
    this.#blockedSinceMs = undefined
  }

  #end(): void {
    this.tell()
    this.#isGone = true
    this.#goesOn()
    this.#listener.ended(bytesOf(this.#said))
    this.#changed()
  }
}

function bytesOf(messages: readonly Message[]): Buffer {
  return Buffer.concat(messages.map(({ bytes }) => bytes))
}
