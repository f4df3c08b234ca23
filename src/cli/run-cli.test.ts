import { describe, expect, it } from 'vitest'
import { asked, typed } from '../../test/support/command-line.ts'
import { cliPage } from './cli-page.ts'
import { commands } from './commands/commands.ts'
import { shown, table } from './print.ts'
import { runCli } from './run-cli.ts'

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

  it('speaks in whole sentences', async () => {
    expect((await run('xyzzy')).err).toBe('hapax: there is no verb xyzzy. See hapax help.\n')
    expect((await run('evnets')).err).toBe('hapax: there is no verb evnets; did you mean events? See hapax help.\n')
    expect((await run('retry', 'x')).err).toBe('hapax retry: retry needs --reason. See hapax help retry.\n')
    expect((await run('events', '--sorce', 'x')).err).toBe(
      'hapax events: events has no option --sorce; did you mean --source? See hapax help events.\n',
    )
  })

  it('makes a store, and says of it to machines', async () => {
    const { code, out } = await run('migrate', '--store', 'memory:', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({ store: 'memory:', kind: 'memory', shards: 16, durability: 'relaxed' })
  })

  it('exits 4 where the server is not reached', async () => {
    expect(await run('events')).toMatchObject({ code: 4, err: expect.stringContaining('hapax events: ') })
  })

  it('prints completion for each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) expect((await run('completion', shell)).out).toContain('redrive')
    expect((await run('completion', 'csh')).code).toBe(2)
  })
})

describe('hapax, to a server', () => {
  const run = '01M86Q8F7E000MWXFV13SA7N1Q-8bjsd57n'
  const done = {
    id: 'rdv_1',
    state: 'done',
    asked: 3,
    applied: 1,
    refused: 1,
    refusals: { no_handler: 1 },
    pending: 0,
    failed: 0,
    toTheBack: 1,
  }

  it('filters runs, and refuses what cannot be listed before it asks', async () => {
    const { requests } = await asked({}, 'runs', '--tenant', 'a', '--group', 'g', '--after', '1970-01-01T00:00:01Z')
    expect(requests).toEqual([{ path: '/v1/runs', query: { tenant: 'a', group: 'g', after: '1000' }, body: undefined }])
    expect((await asked({}, 'runs', '--status', 'running')).requests).toMatchObject([{ query: { status: 'running' } }])
  })

  it('replays from one item of a loop', async () => {
    const answer = { [`/v1/runs/${run}/replay`]: { outcome: 'applied', run, note: 'to_the_back' } }
    const args = ['replay', run, '--from-step', 'pay', '--of', '7', '--reason', 'wrong account']
    const { requests, out } = await asked(answer, ...args)
    expect(requests).toMatchObject([{ body: { reason: 'wrong account', fromStep: 'pay', of: '7' } }])
    expect(out).toBe(`applied to ${run}; it goes behind the others of its order key\n`)
    expect(await asked({}, 'replay', run, '--of', '7', '--reason', 'x')).toMatchObject({ code: 2, requests: [] })
  })

  it('begins a redrive by when its events were accepted, and tells all that became of it', async () => {
    const args = [
      'redrive',
      '--after',
      '1970-01-01T00:00:01Z',
      '--before',
      '1970-01-01T00:00:02Z',
      '--reason',
      'mended',
    ]
    const { requests, out, code } = await asked({ '/v1/redrive': done }, ...args)
    expect(requests).toEqual([
      { path: '/v1/redrive', query: {}, body: { after: 1_000, before: 2_000, reason: 'mended' } },
    ])
    expect(code).toBe(0)
    expect(out).toContain('rdv_1 done: 3 asked, 1 applied, 1 refused')
    expect(out).toMatch(/refused: no_handler +1/)
    expect(out).toMatch(/to the back of their order key +1/)
  })

  it.each([
    [{ applied: 0 }, 1],
    [{ pending: 1 }, 5],
    [{ failed: 1, error: { code: 'store_unavailable', message: 'The store cannot commit.', run } }, 1],
    [{ state: 'failed' }, 1],
  ])('says by its exit code what became of a redrive: %j', async (change, code) => {
    const found = await asked({ '/v1/redrive/rdv_1': { ...done, ...change } }, 'redrive', 'status', 'rdv_1')
    expect(found.code).toBe(code)
    if ('error' in change) expect(found.out).toContain(`store_unavailable: The store cannot commit. (${run})`)
  })

  it('shows how far a redrive is, and stops it', async () => {
    const { requests } = await asked({ '/v1/redrive/rdv_1/stop': done }, 'redrive', 'stop', 'rdv_1')
    expect(requests).toMatchObject([{ path: '/v1/redrive/rdv_1/stop' }])
    expect(await asked({}, 'redrive', 'stop')).toMatchObject({ code: 2, requests: [] })
    expect(await asked({}, 'redrive', 'halt', 'rdv_1')).toMatchObject({ code: 2, requests: [] })
  })

  it('says what a paused name stands for today', async () => {
    const pausing = (handlers: number, sources: number) => ({ version: 1, paused: [], matches: { handlers, sources } })
    const paused = async (what: string, handlers: number, sources: number) => {
      const answers = { [`/v1/${what}s/x/pause`]: pausing(handlers, sources) }
      return (await asked(answers, 'pause', what, 'x', '--reason', 'r')).out
    }
    expect(await paused('handler', 1, 0)).toBe('handler x is paused.\n')
    expect(await paused('handler', 0, 0)).toBe('handler x is paused: no handler has this name today.\n')
    expect(await paused('source', 2, 1)).toBe('source x is paused: 2 handlers take its events.\n')
    expect(await paused('source', 1, 0)).toBe('source x is paused (not configured here): 1 handler takes its events.\n')
    expect(await paused('source', 0, 0)).toContain('no source has this name today')
  })

  it('lists schedules with their ticks', async () => {
    const nightly = {
      name: 'nightly',
      group: 'default',
      cron: '0 3 * * *',
      timezone: 'Europe/Athens',
      missed: 'latest',
    }
    const last = { at: 1_764_000_000_000, event: run.slice(0, 26) }
    const paused = { what: 'handler', name: 'nightly', since: 1, actor: 'cli' }
    const schedules = [{ ...nightly, nextAt: 1_764_032_400_000, last, paused }]
    const { out } = await asked({ '/v1/schedules': { schedules } }, 'schedules')
    expect(out.split('\n')[1]).toMatch(
      /^nightly +0 3 \* \* \* +Europe\/Athens +latest +2025-11-25 01:00:00 +2025-11-24 16:00:00 +\w{26} +PAUSED$/,
    )
    expect((await asked({ '/v1/schedules': { schedules: [nightly] } }, 'schedules')).out).toContain('nightly')
    expect((await asked({ '/v1/schedules': { schedules: [] } }, 'schedules')).out).toBe('No schedules.\n')
  })

  it('names the handler in a history, not its tag', async () => {
    const [key = ''] = run.split('-')
    const begin = { kind: 'begin', tag: '8bjsd57n', at: 1, generation: 1, attempt: 1 }
    const { out } = await asked(
      {
        [`/v1/events/${key}/history`]: { entries: [begin] },
        [`/v1/events/${key}`]: { event: {}, runs: [{ id: run, handler: 'settle', group: 'default', status: 'ready' }] },
      },
      'history',
      key,
    )
    expect(out).toMatch(/begin +settle +attempt 1/)
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
