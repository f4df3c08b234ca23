import { describe, expect, it } from 'vitest'
import { createClient } from '../client/http-client.ts'
import { seededRandom } from '../kit/random.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { cliPage } from './cli-page.ts'
import type { Context } from './command.ts'
import { commands } from './commands/commands.ts'
import { shown, table } from './print.ts'
import { runCli } from './run-cli.ts'

/** A command line without a process. */
function typed(): { context: Context; out: string[]; err: string[] } {
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

const run = async (...args: string[]) => {
  const { context, out, err } = typed()
  return { code: await runCli(context, args), out: out.join(''), err: err.join('') }
}

describe('hapax', () => {
  it('teaches: every verb has help with an example', async () => {
    const { code, out } = await run('help')
    expect(code).toBe(0)
    for (const { name } of commands()) {
      expect(out).toContain(name)
      const page = await run('help', name)
      expect(page.out).toContain(`$ `)
      expect((await run(name, '--help')).out).toBe(page.out)
    }
    expect(cliPage()).toContain('## redrive')
  })

  it('says what was meant, and exits 2 where it is not understood', async () => {
    expect(await run('evnets')).toMatchObject({ code: 2, err: expect.stringContaining('did you mean events?') })
    expect(await run('events', '--sorce', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean --source?'),
    })
    expect(await run('events', '--limit', 'many')).toMatchObject({
      code: 2,
      err: expect.stringContaining('whole number'),
    })
    expect(await run('runs', '--status', 'ded')).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean dead?'),
    })
    expect(await run('history')).toMatchObject({ code: 2, err: expect.stringContaining('needs EVENT') })
    expect(await run('retry', 'x')).toMatchObject({ code: 2, err: expect.stringContaining('needs --reason') })
    expect(await run('resolve', 'x', '--reason', 'y', '--step', 's')).toMatchObject({
      code: 2,
      err: expect.stringContaining('one of --result'),
    })
    expect(await run()).toMatchObject({ code: 2 })
  })

  it('exits 4 where the server is not reached', async () => {
    expect(await run('events')).toMatchObject({ code: 4, err: expect.stringContaining('hapax events: ') })
  })

  it('prints completion for each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) expect((await run('completion', shell)).out).toContain('redrive')
    expect((await run('completion', 'csh')).code).toBe(2)
  })
})

describe('print', () => {
  it('shows what could move the terminal, and does not obey it', () => {
    expect(shown('a\u001b[2Jb\u202e')).toBe('a\\u001b[2Jb\\u202e')
    expect(
      table(
        ['A', 'B'],
        [
          ['x', undefined],
          ['longer', 1],
        ],
        'none',
      ),
    ).toBe('A       B\nx\nlonger  1\n')
    expect(table(['A'], [], 'none')).toBe('none\n')
  })
})
