import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a child can be asked: each verb takes one argument. */
export type Verbs = Readonly<Record<string, (argument: never) => unknown>>

/** What a verb takes, and what it answers. */
type Argument<All extends Verbs, Name extends keyof All> = Parameters<All[Name]>[0]
type Answer<All extends Verbs, Name extends keyof All> = Awaited<ReturnType<All[Name]>>

interface Asked {
  readonly id: number
  readonly verb: string
  readonly argument: unknown
}

interface Answered {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** A process that answers what it is asked. It ends when its channel does, so at the latest with us. */
export class Child<All extends Verbs> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  #asked = 0

  /** @param module beside this file: it calls {@link answering} with verbs of this type */
  constructor(module: string) {
    this.#process = fork(fileURLToPath(new URL(module, import.meta.url)), { serialization: 'advanced' })
    this.#process.on('message', (said: Answered) => {
      const waiting = this.#waiting.get(said.id)
      this.#waiting.delete(said.id)
      if (said.error === undefined) waiting?.resolve(said.value)
      else waiting?.reject(new TypeError(`${module}: ${said.error}`))
    })
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new TypeError(`${module} ended with ${signal ?? code}.`))
    })
  }

  /** What it answers; rejects with what it threw. */
  async ask<Name extends keyof All & string>(
    verb: Name,
    ...[argument]: Argument<All, Name> extends undefined ? [] : [Argument<All, Name>]
  ): Promise<Answer<All, Name>> {
    const id = ++this.#asked
    const answer = await new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#process.send({ id, verb, argument } satisfies Asked)
    })
    // The other end of the channel is the module that was named, and nothing else writes to it.
    return answer as Answer<All, Name>
  }

  /** It ends by itself once its channel is closed. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    if (this.#process.connected) this.#process.disconnect()
    await exit
  }
}

/** In a child: answers what its parent asks by these, and ends with its parent. */
export function answering(verbs: Verbs): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', async ({ id, verb, argument }: Asked) => {
    const answer = (said: Answered) => process.send?.(said)
    try {
      const act = verbs[verb]
      if (!act) throw new TypeError(`there is no verb ${verb}`)
      // The parent's types say that the argument is the verb's.
      answer({ id, value: await act(argument as never) })
    } catch (error) {
      answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
}
