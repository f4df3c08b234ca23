import { callsUnder, type RunContext } from './run-context.ts'

/** Calls that several runs ask for at the same time are made once: whoever asks while it is under way shares its end. */
export class SharedCalls<Value> {
  readonly #calls = new Map<string, SharedCall<Value>>()

  /**
   * Joins the call of this key, or makes it.
   *
   * @param signal of who asks: they wait no longer once it aborts, and the call is aborted once nobody waits
   * @param make in the context that it is given: no single run's
   * @throws what `make` throws, to all who share it; the reason of `signal`
   */
  join(
    key: string,
    context: RunContext,
    signal: AbortSignal,
    make: (context: RunContext) => Promise<Value>,
  ): Promise<Value> {
    const known = this.#calls.get(key)
    if (known) return known.share(context, signal)
    const left = () => {
      if (this.#calls.get(key) === call) this.#calls.delete(key)
    }
    const call = new SharedCall<Value>(context, left)
    this.#calls.set(key, call)
    const shared = call.share(context, signal)
    call.begin(make)
    return shared
  }
}

interface Caller {
  readonly context: RunContext
  readonly signal: AbortSignal
}

/** One call with those who wait for it. */
class SharedCall<Value> {
  readonly #callers = new Set<Caller>()
  readonly #controller = new AbortController()
  readonly #context: RunContext
  readonly #left: () => void
  readonly #end = Promise.withResolvers<Value>()

  constructor({ dependencies, tenant }: RunContext, left: () => void) {
    this.#left = left
    this.#context = {
      dependencies,
      tenant,
      signal: this.#controller.signal,
      ...callsUnder(this.#controller.signal),
      mayCall: () => [...this.#callers].some(({ context }) => context.mayCall()),
      waited: (ms) => {
        for (const { context } of this.#callers) context.waited(ms)
      },
    }
    // Those who shared it may all have left.
    this.#end.promise.catch(() => {})
  }

  begin(make: (context: RunContext) => Promise<Value>): void {
    make(this.#context).finally(this.#left).then(this.#end.resolve, this.#end.reject)
  }

  share(context: RunContext, signal: AbortSignal): Promise<Value> {
    const caller = { context, signal }
    this.#callers.add(caller)
    return new Promise<Value>((resolve, reject) => {
      const leave = () => {
        signal.removeEventListener('abort', leave)
        this.#callers.delete(caller)
        reject(signal.reason)
        if (this.#callers.size > 0) return
        // Who asks from now on shall not share a call that ends.
        this.#left()
        this.#controller.abort()
      }
      this.#end.promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
      if (signal.aborted) leave()
      else signal.addEventListener('abort', leave)
    })
  }
}
