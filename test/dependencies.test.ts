import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createClient, type HapaxClient } from '../src/client/http-client.ts'
import { createHapax, dependency, type Hapax, handler } from '../src/index.ts'
import { type HapaxServer, listen } from '../src/server/server.ts'
import { faultsOf, isRecord, type Schema } from './fuzz/json-schema.ts'
import { commanded } from './support/command-line.ts'

/** Two nodes on one store; people reach the first by its server. */
const folder = mkdtempSync(join(tmpdir(), 'hapax-dependencies-'))
const store = `sqlite:${join(folder, 'hapax.db')}`
// By itself nothing comes back while a test runs: it is the verbs that are looked at.
const bank = dependency('bank', {
  timeout: '5m',
  circuit: { failures: 2, within: '1m', cooldown: '10m' },
  wait: '1ms',
})
const service = { isUp: true, inside: 0, calls: 0, isHeld: false, go: [] as (() => void)[] }
let nodes: readonly [Hapax, Hapax]
let server: HapaxServer
let client: HapaxClient
let schemas: Schema = {}
let count = 0

const pay = handler('pay', { source: 'shop', on: 'order.paid', uses: [bank], timeout: '5m' }, (_event, run) =>
  run.step('pay', () =>
    bank.call(async () => {
      service.calls++
      service.inside++
      try {
        if (service.isHeld) await new Promise<void>((resolve) => service.go.push(resolve))
        if (!service.isUp) throw Object.assign(new Error('unavailable'), { status: 503 })
        return 'paid'
      } finally {
        service.inside--
      }
    }),
  ),
)

function release(): void {
  service.isHeld = false
  for (const go of service.go.splice(0)) go()
}

beforeAll(async () => {
  const node = async () => {
    const hapax = await createHapax({ store, handlers: [pay], beat: '200ms', lease: '4s' })
    await hapax.start()
    return hapax
  }
  nodes = [await node(), await node()]
  server = await listen(nodes[0], { port: 0 })
  client = createClient({ url: server.url })
  const document: unknown = await (await fetch(`${server.url}/openapi.json`)).json()
  if (isRecord(document) && isRecord(document.components) && isRecord(document.components.schemas))
    schemas = document.components.schemas
})

afterAll(async () => {
  release()
  await server.close()
  for (const node of nodes) await node.stop()
  rmSync(folder, { recursive: true, force: true })
})

// What one test leaves of itself, when it fails, is not the next one's.
afterEach(async () => {
  service.isUp = true
  release()
  const after = { reason: 'after a test' }
  await client.controls.close('bank', after)
  await client.controls.resume('dependency', 'bank', after)
  await client.controls.limit('bank', {}, after)
})

const hapax = (...args: string[]) => commanded(client, ...args)
const why = ['--reason', 'the bank asked']

/** Accepts an order at a node, and gives its run. */
async function order(at: Hapax): Promise<string> {
  const { runs } = await at.accept({ source: 'shop', id: String(count++), type: 'order.paid', data: {} })
  return runs[0]?.id ?? ''
}

const waiting = async (at: Hapax) => (await at.controls.dependency('bank')).here.waiting
const all = async (runs: readonly string[]) => {
  for (const run of runs) expect(await client.runs.result(run, { timeout: '20s' })).toBe('paid')
}

/** Orders come until each node has runs that wait: then each has heard what was set. */
async function heardBy(...whom: readonly Hapax[]): Promise<string[]> {
  const runs: string[] = []
  for (const node of whom) {
    await expect
      .poll(async () => {
        runs.push(await order(node))
        return waiting(node)
      })
      .toBeGreaterThan(0)
  }
  return runs
}

/** What the API answers there is as openapi.json says. */
async function expectDescribed(path: string, name: string): Promise<void> {
  const answer: unknown = await (await fetch(`${server.url}${path}`)).json()
  expect(faultsOf({ $ref: `#/components/schemas/${name}` }, answer, schemas)).toEqual([])
}

describe('a dependency that is down', () => {
  it('is seen with what waits for it, and comes back when somebody closes its circuit', async () => {
    service.isUp = false
    const runs = [await order(nodes[0]), await order(nodes[0])]
    await expect.poll(async () => (await client.controls.dependency('bank')).circuit).toBe('open')
    expect((await client.controls.dependency('bank')).turned).toMatchObject({ reason: 'failures' })
    // What found it down is parked, and has a record; what failed before waits for its retry, what did not begin has none.
    await expect.poll(async () => (await client.runs.list({ statuses: ['parked'] })).runs.length).toBe(1)
    expect((await hapax('runs', '--status', 'parked')).out).toMatch(/parked +pay .*circuit_open: bank/)
    const calls = service.calls
    runs.push(await order(nodes[0]))
    const last = runs[2] ?? ''
    expect(await client.runs.get(last)).toMatchObject({
      status: 'parked',
      held: { reason: 'circuit_open', by: 'bank' },
    })
    expect((await client.events.get(last.slice(0, 26))).runs).toMatchObject([{ id: last, status: 'parked' }])
    // Also one that runs nothing says so.
    await using apart = await createHapax({ store, handlers: [pay] })
    expect(await apart.runs.get(last)).toMatchObject({ status: 'parked' })
    expect((await hapax('runs', last)).out).toMatch(/status +parked\nreason +circuit_open: bank\n/)
    // The one that waits for its retry comes into the line in its time.
    await expect.poll(() => waiting(nodes[0])).toBeGreaterThan(1)
    expect((await hapax('dependencies')).out).toMatch(/\nbank +open +\d{4}-\S+ \S+ +failures +[23] +0 +\d+ +2 +pay\n/)
    expect((await hapax('doctor', '--store', store)).out).toMatch(/WARN {2}circuit open +bank, since .*failures/)
    for (const run of runs) await expectDescribed(`/v1/runs/${run}`, 'Run')
    await expectDescribed('/v1/dependencies/bank', 'Dependency')
    await expectDescribed('/v1/settings', 'Settings')
    expect(service.calls).toBe(calls)

    service.isUp = true
    expect(await hapax('close', 'bank', ...why)).toMatchObject({ code: 0, out: 'bank is closed: 1 handler uses it.\n' })
    await all(runs)
    expect(await client.controls.dependency('bank')).toMatchObject({
      circuit: 'closed',
      turned: { reason: 'the bank asked', actor: 'http' },
      here: { waiting: 0 },
    })
    const { state } = await client.runs.get(runs[0] ?? '')
    expect(state).toMatchObject({ failures: 0 })
  })

  it('is opened by HTTP for all nodes, and held open until the command line closes it', async () => {
    expect(await client.controls.open('bank', { reason: 'they move' })).toMatchObject({ circuit: 'open' })
    const runs = await heardBy(nodes[1], nodes[0])
    const [calls, waits] = [service.calls, await waiting(nodes[1])]
    expect((await hapax('dependencies')).out).toMatch(/bank +open, held +.* they move/)
    runs.push(await order(nodes[1]))
    expect(await nodes[1].runs.get(runs.at(-1) ?? '')).toMatchObject({ status: 'parked' })
    await expect.poll(() => waiting(nodes[1])).toBe(waits + 1)
    expect(service.calls).toBe(calls)
    await hapax('close', 'bank', ...why)
    await all(runs)
  })
})

describe('the limits of a dependency', () => {
  it('that are set by HTTP hold over all nodes, until the command line gives back the declared ones', async () => {
    service.isHeld = true
    const set = { rate: 1_000, concurrency: 1 }
    expect(await client.controls.limit('bank', set, { reason: 'they asked', actor: 'ann' })).toMatchObject({
      declared: {},
      limits: set,
      setting: { ...set, actor: 'ann', reason: 'they asked' },
    })
    expect((await hapax('dependencies')).out).toMatch(/bank .* 1000\/s \(set\) +1 \(set\)/)
    await expectDescribed('/v1/dependencies/bank', 'Dependency')
    await expectDescribed('/v1/settings', 'Settings')
    const before = await heardBy(...nodes)
    release()
    await all(before)

    service.isHeld = true
    const runs = [await order(nodes[0]), await order(nodes[0]), await order(nodes[1]), await order(nodes[1])]
    await expect.poll(async () => (await waiting(nodes[0])) + (await waiting(nodes[1]))).toBe(3)
    expect(service.inside).toBe(1)

    expect((await hapax('limit', 'bank', ...why)).out).toBe(
      'bank has its declared limits again (none): 1 handler uses it.\n',
    )
    expect((await client.controls.dependency('bank')).setting).toBeUndefined()
    await expect.poll(() => service.inside).toBe(4)
    release()
    await all(runs)
  })
})

describe('a pause of a dependency', () => {
  it('holds the runs that use it, and lets them go', async () => {
    expect((await hapax('pause', 'dependency', 'bank', ...why)).out).toContain('is paused: 1 handler uses it.')
    const run = await order(nodes[0])
    expect((await hapax('runs', run)).out).toMatch(/status +ready\nreason +paused: dependency bank\n/)
    expect((await hapax('dependencies')).out).toMatch(/bank .* PAUSED/)
    await expectDescribed('/v1/dependencies/bank', 'Dependency')
    await hapax('resume', 'dependency', 'bank', ...why)
    await all([run])
  })
})

describe('what is refused', () => {
  const post = async (verb: string, body: object) => {
    const response = await fetch(`${server.url}/v1/dependencies/bank/${verb}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
    return { status: response.status, ...JSON.parse(await response.text()) }
  }

  it('changes nothing', async () => {
    const before = await client.controls.settings()
    await expect(client.controls.dependency('bnak')).rejects.toMatchObject({ code: 'not_found' })
    expect(await hapax('dependencies', 'bnak')).toMatchObject({ code: 3 })
    for (const verb of ['open', 'close', 'limits', 'pause', 'resume'])
      expect(await post(verb, {})).toMatchObject({ status: 400, code: 'reason_required' })
    for (const wrong of [{ rate: 'fast' }, { rate: '0/m' }, { concurrency: 0 }, { concurrency: 2.5 }])
      expect(await post('limits', { reason: 'x', ...wrong })).toMatchObject({ status: 400, code: 'invalid_query' })
    await expect(client.controls.limit('bank', { rate: -1 }, { reason: 'x' })).rejects.toMatchObject({
      code: 'invalid_query',
    })
    expect(await hapax('open', 'bank')).toMatchObject({ code: 2, err: expect.stringContaining('needs --reason') })
    expect(await hapax('limit', 'bank', '--concurrency', '0', ...why)).toMatchObject({ code: 1 })
    expect(await client.controls.settings()).toEqual(before)
  })
})
