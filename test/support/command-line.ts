import type { Context } from '../../src/cli/command.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { createClient, type HapaxClient } from '../../src/client/http-client.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** A command line without a process, and what it wrote. */
export function typed(): { context: Context; out: string[]; err: string[] } {
  const out: string[] = []
  const err: string[] = []
  const context: Context = {
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    tty: false,
    env: {},
    cwd: '.',
    clock: new FakeClock(),
    random: seededRandom(1),
    // Port 9 is discard: nothing listens.
    client: () => createClient({ url: 'http://127.0.0.1:9' }),
    stdin: async () => new Uint8Array(),
    stopped: async () => {},
    spawn: () => ({ stop: () => {}, ended: Promise.resolve(0) }),
  }
  return { context, out, err }
}

/** What a command line did. */
export interface Done {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line against the server of this client. */
export async function commanded(client: HapaxClient, ...args: string[]): Promise<Done> {
  const { context, out, err } = typed()
  const code = await runCli({ ...context, client: () => client }, args)
  return { code, out: out.join(''), err: err.join('') }
}

/** A request that a command line made. */
export interface Requested {
  readonly path: string
  readonly query: Record<string, string>
  readonly body: unknown
}

/** Runs a command line whose server answers each path so; what was asked comes back. */
export async function asked(
  answers: Record<string, unknown>,
  ...args: string[]
): Promise<Done & { readonly requests: Requested[] }> {
  const requests: Requested[] = []
  const answer: typeof fetch = async (input, init) => {
    const url = new URL(String(input))
    const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
    requests.push({ path: url.pathname, query: Object.fromEntries(url.searchParams), body })
    return Response.json(answers[url.pathname] ?? { runs: [] })
  }
  return { ...(await commanded(createClient({ fetch: answer }), ...args)), requests }
}
