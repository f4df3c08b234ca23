import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClient } from '../../client/http-client.ts'
import { seededRandom } from '../../kit/random.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { runCli } from '../run-cli.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-doctor-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
  const out: string[] = []
  const code = await runCli(
    {
      out: (text) => out.push(text),
      err: (text) => out.push(text),
      tty: false,
      env: {},
      cwd: folder,
      clock: new FakeClock(),
      random: seededRandom(1),
      client: () => createClient({ url: 'http://127.0.0.1:9' }),
      stdin: async () => new Uint8Array(),
      stopped: async () => {},
      spawn: () => ({ stop: () => {}, ended: Promise.resolve(0) }),
    },
    args,
  )
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
