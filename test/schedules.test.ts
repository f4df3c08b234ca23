import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { createClient, type HapaxClient } from '../src/client/http-client.ts'
import { schemaUrl } from './support/services/postgres.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = join(root, 'src/cli/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'hapax-schedules-'))
const schema = `schedules_${process.pid}`
const names = ['a', 'b', 'c', 'd']
const nodes: ChildProcess[] = []

/** A configuration whose schedules tick each second, and write down what for. */
function configured(store: string): { config: string; lines: () => string[] } {
  const kind = store.slice(0, store.indexOf(':'))
  const [config, ran] = [join(folder, `${kind}.config.ts`), join(folder, `${kind}.txt`)]
  writeFileSync(ran, '')
  writeFileSync(
    config,
    `import { appendFileSync } from 'node:fs'
import { defineConfig, schedule } from '${root}src/index.ts'
const each = (name) => schedule(name, '* * * * * *', { missed: 'all' }, ({ data }) => {
  appendFileSync('${ran}', data.schedule + ' ' + data.at + '\\n')
})
export default defineConfig({ store: '${store}', migrate: 'auto', schedules: ${JSON.stringify(names)}.map(each) })
`,
  )
  return { config, lines: () => readFileSync(ran, 'utf8').split('\n').filter(Boolean) }
}

/** A process that serves the configuration, and a client of it. */
async function served(config: string): Promise<{ node: ChildProcess; client: HapaxClient; url: string }> {
  const node = spawn(process.execPath, [main, 'serve', config, '--port', '0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  nodes.push(node)
  const url = await new Promise<string>((resolve, reject) => {
    node.once('exit', (code) => reject(new Error(`serve exited with ${code}`)))
    node.stdout?.on('data', (text) => {
      const found = /http:\/\/\S+/.exec(String(text))?.[0]
      if (found) resolve(found)
    })
  })
  return { node, client: createClient({ url }), url }
}

/** The seconds of a schedule's ticks, as they came. */
async function secondsOf(client: HapaxClient, name: string): Promise<number[]> {
  const { events } = await client.events.list({ type: `schedule.${name}`, limit: 200 })
  return events.map(({ id }) => Date.parse(id.slice(name.length + 1)) / 1_000).reverse()
}

afterAll(async () => {
  for (const node of nodes) node.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
  const client = new pg.Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  await client.query(`drop schema if exists ${schema} cascade`)
  await client.end()
})

describe.each([
  ['a file', () => `sqlite:${join(folder, 'ticks.db')}`],
  ['PostgreSQL', () => schemaUrl(inject('postgresUrl'), schema)],
])('schedules of two processes on %s', (_name, storeOf) => {
  it('tick once a second, and go on where one is killed, with no second left out and none twice', async () => {
    const { config, lines } = configured(storeOf())
    const first = await served(config)
    const second = await served(config)
    await expect.poll(() => lines().length).toBeGreaterThan(8)
    first.node.kill('SIGKILL')
    const before = lines().length
    // A lease later its schedules tick again: all of them, for what was missed too.
    await expect
      .poll(
        () =>
          new Set(
            lines()
              .slice(before)
              .map(([name]) => name),
          ).size,
      )
      .toBe(names.length)
    const reached = Math.floor(Date.now() / 1_000)
    for (const name of names) {
      await expect.poll(async () => (await secondsOf(second.client, name)).at(-1)).toBeGreaterThanOrEqual(reached)
      const seconds = await secondsOf(second.client, name)
      expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index))
      // The killed process may have died between a call and its record: then that one is called again.
      const called = () => new Set(lines().filter((line) => line.startsWith(name))).size
      await expect.poll(called).toBeGreaterThanOrEqual(seconds.length)
    }

    const listed = spawn(process.execPath, [main, 'schedules', '--json', '--url', second.url])
    let out = ''
    for await (const text of listed.stdout) out += text
    const expected = names.map((name) => ({ name, cron: '* * * * * *', last: { at: expect.any(Number) } }))
    expect(JSON.parse(out).schedules).toMatchObject(expected)
    const ends = new Promise((resolve) => second.node.once('exit', resolve))
    second.node.kill('SIGTERM')
    expect(await ends).toBe(0)
  })
})

describe('schedules that nobody can read', () => {
  it('are refused with what is wrong with them, before anything is served', async () => {
    const wrong = join(folder, 'wrong.config.ts')
    writeFileSync(
      wrong,
      `import { defineConfig, schedule } from '${root}src/index.ts'
export default defineConfig({ concurrency: 0, schedules: [schedule('a', '0 99 * * *', { timezone: 'Europe/Athens' }, () => {})] })
`,
    )
    const node = spawn(process.execPath, [main, 'serve', wrong, '--port', '0'])
    let err = ''
    node.stderr.on('data', (text) => {
      err += text
    })
    expect(await new Promise((resolve) => node.once('close', resolve))).not.toBe(0)
    expect(err).toContain('schedule "a": cron: "0 99 * * *" is not understood: Invalid value for hour: 99')
    expect(err).toContain('concurrency')
  })
})
