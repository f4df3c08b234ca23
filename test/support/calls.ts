import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Dependencies } from '../../src/flow/dependencies.ts'
import { type DependencyOptions, dependency } from '../../src/flow/dependency.ts'
import type { FetchOptions } from '../../src/flow/fetch-request.ts'
import { callsUnder, type RunContext, withinRun } from '../../src/flow/run-context.ts'
import { silentLog } from '../../src/kit/log.ts'
import { memoryStore } from '../../src/store/memory/index.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** A run that calls: outside an engine, on a virtual clock. */
export interface Caller extends RunContext {
  /** Calls `body` as its code. */
  run<Result>(body: () => Promise<Result>): Promise<Result>
  /** Its attempt ends. */
  end(): void
}

/** A node's dependencies on a virtual clock, and runs that call them. */
export function callers() {
  const clock = new FakeClock()
  const store = memoryStore({ clock })
  let looks = 0
  const dependencies = new Dependencies({
    clock,
    log: silentLog,
    node: 'node-1',
    now: () => clock.now(),
    turn: (turn) => store.turnCircuit(turn),
    changed: () => {
      looks++
    },
    turned: () => {},
    hurry: () => {},
  })
  const caller = (tenant = 'default'): Caller => {
    const controller = new AbortController()
    const context: RunContext = {
      dependencies,
      tenant,
      signal: controller.signal,
      ...callsUnder(controller.signal),
      mayCall: () => !controller.signal.aborted,
      waited: () => {},
    }
    return Object.assign(context, {
      run: <Result>(body: () => Promise<Result>) => withinRun(() => context, body),
      end: () => controller.abort(),
    })
  }
  /** How often it was said that who waits is to be looked at again. */
  return { clock, dependencies, caller, looks: () => looks }
}

/** The error that a promise rejects with. */
export const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

/** A run that fetches from a dependency of its own. */
export function client(options: DependencyOptions = {}) {
  const bank = dependency('bank', options)
  const node = callers()
  const caller = node.caller()
  return {
    ...node,
    caller,
    state: node.dependencies.of(bank),
    fetch: (url: string, init?: FetchOptions) => caller.run(() => bank.fetch(url, init)),
    as: (tenant: string, url: string, init?: FetchOptions) => node.caller(tenant).run(() => bank.fetch(url, init)),
  }
}

/** A server on loopback, which is closed with all its connections at the end of its block. */
export async function listening(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  return opened(createServer(listener), 'http')
}

/** The same for a server that was made elsewhere. */
export async function opened(server: Server, scheme: string): Promise<AsyncDisposable & { readonly url: string }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
