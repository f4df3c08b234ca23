import { Worker } from 'node:worker_threads'
import { HapaxError } from '../../errors/hapax-error.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Log } from '../../kit/log.ts'
import type { WriterCalls, WriterMethod, WriterReply, WriterStart } from './messages.ts'

interface Pending {
  readonly resolve: (value: never) => void
  readonly reject: (error: HapaxError) => void
}

/** The worker beside this file: TypeScript in the repository, JavaScript in the package. */
const writerUrl = new URL(`./writer${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/**
 * The main thread's end of the writer. A writer that dies takes every open question with it as `store_unavailable`, and
 * the next question starts another.
 */
export class WriterLink {
  readonly #start: WriterStart
  readonly #clock: Clock
  readonly #log: Log
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  /** Replies that came while another was worked on. */
  #waiting: (() => void)[] = []
  #turning = false
  #lastId = 0
  #closed = false
  #refusal: string | undefined

  constructor(start: WriterStart, clock: Clock, log: Log) {
    this.#start = start
    this.#clock = clock
    this.#log = log
  }

  get underWay(): number {
    return this.#pending.size
  }

  call<Method extends WriterMethod>(
    method: Method,
    args: Parameters<WriterCalls[Method]>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<ReturnType<WriterCalls[Method]>> {
    if (this.#closed) return Promise.reject(new HapaxError('store_unavailable', { reason: 'the store is closed' }))
    if (this.#refusal !== undefined) return Promise.reject(new HapaxError('store_refused', { reason: this.#refusal }))
    this.#worker ??= this.#spawn()
    const worker = this.#worker
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) worker.ref()
      this.#pending.set(id, { resolve, reject })
      worker.postMessage({ id, method, args }, transfer)
    })
  }

  /** Whatever is asked from now on is refused for this reason; no writer is ever started. */
  refuse(reason: string): void {
    this.#refusal = reason
  }

  /** Lets the writer finish, close its file and end. */
  async close(): Promise<void> {
    if (this.#closed) return
    const worker = this.#worker
    const closing = worker ? this.call('close', []) : undefined
    this.#closed = true
    // A writer that ends by itself has nothing left to lose: what it answered is in the file or its log.
    await closing?.catch((error: unknown) => this.#log.warn('sqlite writer closed badly', { error: String(error) }))
    await worker?.terminate()
  }

  /** Ends the thread as a crash would: for tests of what happens then. */
  async crash(): Promise<void> {
    await this.#worker?.terminate()
  }

  #spawn(): Worker {
    // The process's own flags are not for it: `--input-type`, `--eval` and `--test` keep a worker from starting.
    const worker = new Worker(writerUrl, { workerData: this.#start, name: 'hapax-sqlite-writer', execArgv: [] })
    worker.unref()
    worker.on('message', (reply: WriterReply) => this.#inTurn(() => this.#settle(reply, worker)))
    worker.on('error', (error) => this.#log.error('sqlite writer failed', { error: String(error) }))
    worker.on('exit', () => this.#inTurn(() => this.#lost(worker)))
    return worker
  }

  /**
   * One reply in each turn of the event loop. A port hands on all that it holds before the loop turns, and a writer that
   * answers as fast as it is asked keeps it full: timers and sockets waited 60 ms.
   */
  #inTurn(work: () => void): void {
    if (this.#turning) {
      this.#waiting.push(work)
      return
    }
    this.#turning = true
    this.#clock.turn(() => {
      this.#turning = false
      const next = this.#waiting.shift()
      if (next) this.#inTurn(next)
    })
    work()
  }

  #settle(reply: WriterReply, worker: Worker): void {
    const pending = this.#pending.get(reply.id)
    if (!pending) return
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) worker.unref()
    if ('code' in reply) pending.reject(new HapaxError(reply.code, reply.details))
    else pending.resolve(reply.value as never)
  }

  #lost(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) {
      reject(new HapaxError('store_unavailable', { reason: 'the writer ended; the next question starts another' }))
    }
  }
}
