import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../src/client/http-client.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hapax-cli-'))
const config = join(folder, 'hapax.config.ts')
const main = join(root, 'src/cli/main.ts')
let server: ChildProcess
let url = ''

/** Starts a process that goes on, and resolves to it when it has said this. */
function saying(pattern: RegExp, cwd: string, ...args: string[]): Promise<{ child: ChildProcess; found: string[] }> {
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  const found: string[] = []
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} exited with ${code}`)))
    child.stdout?.on('data', (text) => {
      const match = pattern.exec(String(text))?.[0]
      if (match === undefined) return
      found.push(match)
      resolve({ child, found })
    })
  })
}

function ended(child: ChildProcess): Promise<number | null> {
  const ends = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  return ends
}

/** One command line, as a user types it. */
function hapax(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { ...process.env, HAPAX_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? -1, out, err })))
}

const json = async (...args: string[]) => JSON.parse((await hapax(...args, '--json')).out)

beforeAll(async () => {
  writeFileSync(
    config,
    `import { defineConfig, Fatal, handler } from '${root}src/index.ts'
import { github, stripe } from '${root}src/sources/index.ts'
let broken = true
export default defineConfig({
  store: 'sqlite:cli.db',
  sources: [stripe({ secret: 'whsec_cli' }), github({ secret: 'cli' })],
  handlers: [
    handler('settle', { source: 'stripe', on: 'payment_intent.*' }, async (event, run) => {
      await run.step('capture', () => 'captured')
      return run.waitFor('approved')
    }),
    handler('triage', { source: 'github', on: 'issues.*' }, () => {
      if (broken) { broken = false; throw new Fatal('no such team') }
      return 'triaged'
    }),
  ],
})
`,
  )
  const served = await saying(/http:\/\/\S+/, folder, 'serve', config, '--port', '0')
  server = served.child
  url = served.found[0] ?? ''
})

afterAll(() => {
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

describe('the command line, against a real server', () => {
  it('sends, shows, signals, and says by its exit code what became of it', async () => {
    const sent = await json('send', '--fixture', 'stripe/payment_intent.succeeded', '--id', 'cli1')
    expect(sent).toMatchObject({ status: 202, answer: { outcome: 'accepted', durability: 'local-fsync' } })
    const run: string = sent.answer.runs[0].id
    expect(await json('send', '--fixture', 'stripe/payment_intent.succeeded', '--id', 'cli1')).toMatchObject({
      status: 200,
      answer: { outcome: 'duplicate' },
    })

    const listed = await hapax('events', '--source', 'stripe')
    expect(listed.out).toMatch(/evt_cli1 .* 1 duplicate/)
    expect((await hapax('runs', run)).out).toMatch(/capture +step +1 .*"captured"/)

    expect(await hapax('signal', run, 'approved', '--payload', '{"by":"ann"}')).toMatchObject({
      code: 0,
      out: expect.stringContaining('applied'),
    })
    await expect.poll(async () => (await json('runs', run)).status).toBe('completed')
    expect(await hapax('cancel', run, '--reason', 'too late')).toMatchObject({
      code: 1,
      err: expect.stringContaining('completed'),
    })
    expect((await hapax('history', sent.answer.event.key)).out).toMatch(/intervention .* signal approved/)
    expect(await hapax('history', '0'.repeat(26))).toMatchObject({ code: 3 })
  })

  it('redrives what is dead', async () => {
    const sent = await json('send', '--fixture', 'github/issues.opened', '--id', 'cli-issue-1')
    expect(sent).toMatchObject({ status: 202 })
    const run: string = sent.answer.runs[0].id
    await expect.poll(async () => (await json('runs', run)).status).toBe('dead')
    expect((await hapax('runs', '--status', 'dead')).out).toContain('Fatal: no such team')
    expect(await hapax('redrive', '--handler', 'triage', '--reason', 'team made')).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 applied'),
    })
    await expect.poll(async () => (await json('runs', run)).status).toBe('completed')
    expect(await json('runs', run)).toMatchObject({ state: { generation: 2, result: '"triaged"' } })
  })

  it('pauses and resumes a handler', async () => {
    expect(await hapax('pause', 'handler', 'triage', '--reason', 'test')).toMatchObject({ code: 0 })
    const sent = await json('send', '--fixture', 'github/issues.opened', '--id', 'cli-issue-2')
    expect((await json('runs', sent.answer.runs[0].id)).status).toBe('ready')
    expect((await hapax('doctor', config)).out).toContain('hapax resume handler triage')
    expect(await hapax('resume', 'handler', 'triage', '--reason', 'test over')).toMatchObject({ code: 0 })
    await expect.poll(async () => (await json('runs', sent.answer.runs[0].id)).status).toBe('completed')
  })

  it('stops gracefully on SIGTERM, and exits 0 (G10)', async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(await hapax('events')).toMatchObject({ code: 4 })
  })
})

describe('processes of their own', () => {
  const apart = mkdtempSync(join(tmpdir(), 'hapax-apart-'))
  afterAll(() => rmSync(apart, { recursive: true, force: true }))
  const file = join(apart, 'hapax.config.ts')
  const write = (version: string) =>
    writeFileSync(
      file,
      `import { defineConfig, dependency, handler } from '${root}src/index.ts'
const uses = [dependency('bank', { concurrency: 3 })]
export default defineConfig({
  store: 'sqlite:apart.db',
  handlers: [handler('greet', { source: 'shop', on: '*', version: '${version}', uses }, () => '${version}')],
})
`,
    )

  it('--no-workers accepts and runs nothing; a process with --no-server on the same store does', async () => {
    write('one')
    const server = await saying(/http:\/\/\S+/, apart, 'serve', file, '--port', '0', '--no-workers')
    const client = createClient({ url: server.found[0] ?? '' })
    expect(await client.ready()).toBe(true)
    const before = await client.accept({ source: 'shop', id: '1', type: 'order.paid' })
    expect(before).toMatchObject({ outcome: 'accepted', durability: 'local-fsync', runs: [] })
    expect((await client.controls.counts()).unclaimed).toBe(1)
    // It runs nothing, and still knows what holds the runs of others.
    expect(await client.controls.dependencies()).toMatchObject([{ name: 'bank', handlers: ['greet'] }])

    const worker = await saying(/hapax works/, apart, 'serve', file, '--no-server')
    // The server hears of the handler by its next look at the registry; events of before are picked up.
    const runOf = async (key: string) => (await client.events.get(key)).runs[0]
    await expect.poll(async () => (await runOf(before.event.key))?.status).toBe('completed')
    await expect
      .poll(async () => (await client.accept({ source: 'shop', id: '2', type: 'order.paid' })).runs.length)
      .toBe(1)
    expect(await client.runs.result((await runOf(before.event.key))?.id ?? '')).toBe('one')
    expect(await ended(worker.child)).toBe(0)
    expect(await ended(server.child)).toBe(0)
  })

  it('dev serves anew when its configuration changes, and ends with its child', async () => {
    write('one')
    const dev = await saying(/http:\/\/\S+/, apart, 'dev', file, '--port', '0')
    const run = async (id: string) => {
      const client = createClient({ url: dev.found.at(-1) ?? '' })
      const { runs } = await client.accept({ source: 'shop', id, type: 'order.paid' })
      return client.runs.result(runs[0]?.id ?? '', { timeout: '20s' })
    }
    expect(await run('1')).toBe('one')
    write('two')
    await expect.poll(() => dev.found.length).toBe(2)
    expect(await run('2')).toBe('two')
    expect(await ended(dev.child)).toBe(0)
  })

  it('ends within its grace though a handler does not listen, and leaves its step in doubt (G10)', async () => {
    const deaf = join(apart, 'deaf.config.ts')
    writeFileSync(
      deaf,
      `import { defineConfig, handler } from '${root}src/index.ts'
export default defineConfig({
  store: 'sqlite:deaf.db',
  grace: '200ms',
  handlers: [
    handler('deaf', { source: 'shop', on: '*' }, (event, run) =>
      run.step('charge', { once: true, run: () => new Promise(() => setInterval(() => {}, 1_000)) }),
    ),
  ],
})
`,
    )
    const server = await saying(/http:\/\/\S+/, apart, 'serve', deaf, '--port', '0')
    const client = createClient({ url: server.found[0] ?? '' })
    const { runs } = await client.accept({ source: 'shop', id: '1', type: 'order.paid' })
    const id = runs[0]?.id ?? ''
    await expect.poll(async () => (await client.runs.get(id)).status).toBe('running')
    expect(await ended(server.child)).toBe(0)
    const again = await saying(/http:\/\/\S+/, apart, 'serve', deaf, '--port', '0')
    const after = createClient({ url: again.found[0] ?? '' })
    await expect.poll(async () => (await after.runs.get(id)).status).toBe('unknown')
    expect(await ended(again.child)).toBe(0)
  })
})
