import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { typed } from '../../../test/support/command-line.ts'
import { silentLog } from '../../kit/log.ts'
import { openStore } from '../../store/open-store.ts'
import { runCli } from '../run-cli.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-doctor-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
  const { context, out } = typed()
  const code = await runCli({ ...context, cwd: folder }, args)
  return { code, out: out.join('') }
}

test('doctor makes no store: where none is, it says how to make one, and exits 1', async () => {
  const store = `sqlite:${join(folder, 'none.db')}`
  const { code, out } = await run('doctor', '--store', store)
  expect(out).toMatch(/FAIL {2}store .*no file there: run hapax migrate.*\n.*\n +to do: {2}hapax migrate\n/)
  expect(code).toBe(1)
  expect(readdirSync(folder)).toEqual([])

  expect(await run('migrate', '--store', store)).toMatchObject({ code: 0 })
  const made = readdirSync(folder)
  expect(await run('doctor', '--store', store)).toMatchObject({ code: 0, out: expect.stringContaining('16 shards') })
  expect(readdirSync(folder)).toEqual(made)
})

test('doctor says which circuits are open, since when, and what to do', async () => {
  const url = `sqlite:${join(folder, 'open.db')}`
  const { clock, random } = typed().context
  const store = await openStore(url, { clock, random, log: silentLog })
  await store.migrate()
  const turn = { seen: 0, state: 'open', actor: 'node-1' } as const
  await store.turnCircuit({ ...turn, dependency: 'bank', probeInMs: 15_000, reason: 'failures' })
  await store.turnCircuit({ ...turn, dependency: 'mail', probeInMs: 15_000, reason: 'configuration' })
  await store.turnCircuit({ ...turn, dependency: 'tax', reason: 'they move' })
  await store.turnCircuit({ ...turn, dependency: 'fax', reason: 'they move' })
  await store.turnCircuit({ ...turn, dependency: 'fax', seen: 1, state: 'closed', reason: 'back' })
  await store.close()

  const { code, out } = await run('doctor', '--store', url)
  expect(code).toBe(0)
  const told = (found: string, todo: string) =>
    expect(out).toMatch(new RegExp(`WARN {2}circuit open +${found}.*\\n +wanted: closed\\n +to do: +${todo}`))
  const at = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC'
  told(`bank, since ${at} \\(failures, by node-1\\)`, `see whether bank is up; .* from ${at} on, hapax close bank`)
  told('mail, .*configuration', 'mend its credentials or certificate; .* hapax close mail')
  told('tax, .*they move', 'it is held open: hapax close tax --reason TEXT')
  expect(out).not.toContain('fax')
})
