import { describe, expect, it } from 'vitest'
import { asked } from '../../../test/support/command-line.ts'

const outage = { version: 3, since: 1_764_000_015_000, openedAt: 1_764_000_000_000, reason: 'probe', actor: 'node-1' }
const bank = {
  name: 'bank',
  circuit: 'open',
  turned: { dependency: 'bank', state: 'open', probeAt: 1_764_000_030_000, ...outage },
  declared: { rate: 100, concurrency: 20 },
  limits: { rate: 1.5, concurrency: 20 },
  setting: { dependency: 'bank', rate: 1.5, since: 1_764_000_000_000, actor: 'ann', reason: 'they asked' },
  handlers: ['pay', 'refund'],
  here: { waiting: 60, active: 1, calls: 9, failures: 4 },
}
const mail = {
  name: 'mail',
  circuit: 'closed',
  declared: {},
  limits: {},
  handlers: [],
  paused: { what: 'dependency', name: 'mail', since: 1, actor: 'ann', reason: 'moved' },
  here: { waiting: 0, active: 0, calls: 0, failures: 0 },
}
const one = (view: object) => ({ '/v1/dependencies/bank': view, '/v1/dependencies': { dependencies: [view] } })
const at = (verb: string, view: object = bank) => ({ [`/v1/dependencies/bank/${verb}`]: view })
const why = ['--reason', 'they asked']

describe('hapax dependencies', () => {
  it('says which are down, since when and why, within which limits, and who waits', async () => {
    const { out } = await asked({ '/v1/dependencies': { dependencies: [bank, mail] } }, 'dependencies')
    const [, first, second] = out.split('\n')
    expect(first).toMatch(/^bank +open +2025-11-24 16:00:15 +probe +90\/m \(set\) +20 +60 +1 +9 +4 +pay, refund$/)
    expect(second).toMatch(/^mail +closed +0 +0 +0 +0 +PAUSED$/)
    expect((await asked({ '/v1/dependencies': { dependencies: [] } }, 'dependencies')).out).toBe('No dependencies.\n')
  })

  it('tells one that is held open by a person from one that comes back by itself', async () => {
    const { probeAt: _, ...held } = bank.turned
    expect((await asked(one({ ...bank, turned: held }), 'dependencies')).out).toMatch(/bank +open, held/)
    const { out } = await asked(one(bank), 'dependencies', 'bank')
    expect(out).toMatch(/down since +2025-11-24 16:00:00\nprobe from +2025-11-24 16:00:30\n/)
    expect(out).toMatch(/limits +90\/m, 20 at once\ndeclared +100\/s, 20 at once\nset +90\/m, .* by ann: they asked\n/)
    expect(out).toMatch(/runs here +60 waiting, 1 active\ncalls here +9, 4 of them failed\n/)
  })

  it('gives machines what the API answers', async () => {
    expect(JSON.parse((await asked(one(bank), 'dependencies', '--json')).out)).toEqual({ dependencies: [bank] })
    expect(JSON.parse((await asked(one(bank), 'dependencies', 'bank', '--json')).out)).toEqual(bank)
    expect(JSON.parse((await asked(at('open'), 'open', 'bank', ...why, '--json')).out)).toEqual(bank)
  })
})

describe('the verbs of dependencies', () => {
  it('open, close and limit ask the server with all that was said, and say what they changed', async () => {
    const opened = await asked(at('open'), 'open', 'bank', ...why)
    expect(opened.requests).toMatchObject([{ path: '/v1/dependencies/bank/open', body: { reason: 'they asked' } }])
    expect(opened.out).toBe('bank is open until hapax close bank: 2 handlers use it.\n')
    const closed = await asked(at('close', { ...bank, handlers: [] }), 'close', 'bank', ...why)
    expect(closed.out).toBe('bank is closed: no handler of the server that was asked uses it.\n')
    const args = ['limit', 'bank', '--rate', '90/m', '--concurrency', '20', ...why]
    const limited = await asked(at('limits'), ...args)
    expect(limited.requests).toMatchObject([{ body: { rate: '90/m', concurrency: 20, reason: 'they asked' } }])
    expect(limited.out).toBe('bank is limited to 90/m, 20 at once: 2 handlers use it.\n')
  })

  it('limit without a limit gives back what is declared', async () => {
    const { setting: _, ...declared } = { ...bank, limits: bank.declared, handlers: ['pay'] }
    const { out, requests } = await asked(at('limits', declared), 'limit', 'bank', ...why)
    expect(requests.map(({ body }) => body)).toEqual([{ reason: 'they asked' }])
    expect(out).toBe('bank has its declared limits again (100/s, 20 at once): 1 handler uses it.\n')
  })

  it.each([
    [['limit', 'bank', '--rate', 'fast', ...why], 'like 100/s or 5/m, found "fast"'],
    [['limit', 'bank', '--rate', '0/s', ...why], 'like 100/s or 5/m, found "0/s"'],
    [['limit', 'bank', '--concurrency', 'many', ...why], 'whole number'],
    [['limit', 'bank'], 'needs --reason'],
    [['open', 'bank'], 'needs --reason'],
    [['close', 'bank'], 'needs --reason'],
    [['open', ...why], 'needs NAME'],
    [['pause', 'dependencies', 'bank', ...why], 'takes "handler", "source" or "dependency"'],
  ])('are not understood, and not asked: %j', async (args, says) => {
    expect(await asked({}, ...args)).toMatchObject({ code: 2, requests: [], err: expect.stringContaining(says) })
  })

  it('pause and resume say what uses it', async () => {
    const answer = (handlers: number) => ({ version: 1, paused: [], matches: { handlers, sources: 0 } })
    expect((await asked(at('pause', answer(1)), 'pause', 'dependency', 'bank', ...why)).out).toBe(
      'dependency bank is paused: 1 handler uses it.\n',
    )
    expect((await asked(at('resume', answer(0)), 'resume', 'dependency', 'bank', ...why)).out).toBe(
      'dependency bank is resumed: no handler of the server that was asked uses it.\n',
    )
  })
})
