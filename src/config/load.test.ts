import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { nearest } from '../kit/nearest.ts'
import { loadConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const file = (text: string): string => {
  const path = join(folder, `config-${files++}.mjs`)
  writeFileSync(path, text)
  return path
}

describe('loadConfig', () => {
  it('takes flag, environment, file, default, in this order', async () => {
    const path = file("export default { group: 'file', server: { port: 1 }, lease: '9s' }")
    expect(await loadConfig({ file: path, env: {} })).toMatchObject({
      group: 'file',
      port: 1,
      leaseMs: 9_000,
      beatMs: 2_000,
    })
    const env = { HAPAX_GROUP: 'environment', HAPAX_SERVER_PORT: '2' }
    expect(await loadConfig({ file: path, env })).toMatchObject({ group: 'environment', port: 2 })
    expect(await loadConfig({ file: path, env, flags: { 'server.port': '3' } })).toMatchObject({
      group: 'environment',
      port: 3,
    })
    expect(await loadConfig({ cwd: folder, env: {} })).toMatchObject({
      store: 'sqlite:hapax.db',
      port: 4400,
      host: '127.0.0.1',
    })
  })

  it('reports all mistakes at once, with what was meant', async () => {
    const path = file(
      "export default { sever: {}, server: { prot: 1 }, lease: 'soon', concurrency: -1, sources: [{}], handlers: 5 }",
    )
    const error = await loadConfig({ file: path, env: {} }).catch((caught: Error) => caught.message)
    for (const said of [
      'sever is no option',
      'did you mean server.port?',
      'lease',
      'concurrency',
      'sources: wanted',
      'handlers: wanted',
    ]) {
      expect(error).toContain(said)
    }
  })

  it('reads when schedules tick, with the rest', async () => {
    const odd = "{ name: 'odd', firstName: 'odd', cron: '0 99 * * *', timezone: 'UTC', handlerIn() {} }"
    const wrong = file(`export default { concurrency: -1, schedules: [${odd}] }`)
    const error = await loadConfig({ file: wrong, env: {} }).catch((caught: Error) => caught.message)
    expect(error).toContain('schedule "odd": cron: "0 99 * * *" is not understood')
    expect(error).toContain('concurrency')
    const none = file('export default { schedules: 5 }')
    await expect(loadConfig({ file: none, env: {} })).rejects.toThrow(
      'schedules: wanted a list of what schedule(…) returns',
    )
    const right = file(`export default { schedules: [${odd.replace('99', '9')}] }`)
    expect(await loadConfig({ file: right, env: {} })).toMatchObject({ schedules: [{ name: 'odd' }] })
  })

  it('checks options against each other, and tells no secret', async () => {
    const path = file("export default { lease: '2s', beat: '1s', key: 5, retention: { identities: '1d' } }")
    const error = await loadConfig({ file: path, env: {} }).catch((caught: Error) => caught.message)
    expect(error).toContain('three beats')
    expect(error).toContain('retention.identities must be')
    expect(error).toContain('key (from key): wanted text, found a secret')
    expect(error).not.toContain('NaN')
  })

  it('does not say twice of one option that it is wrong', async () => {
    const path = file("export default { lease: 'soon', concurrency: -1, group: 5 }")
    const error = await loadConfig({ file: path, env: {} }).catch((caught: Error) => caught.message)
    expect(String(error).split('\n')).toHaveLength(4)
  })

  it('takes the host names of a proxy, as a list or with commas', async () => {
    const path = file("export default { server: { hosts: ['api.example.com', '[::2]'] } }")
    expect((await loadConfig({ file: path, env: {} })).hosts).toEqual(['api.example.com', '[::2]'])
    const env = { HAPAX_SERVER_HOSTS: 'a.example, b.example' }
    expect((await loadConfig({ file: path, env })).hosts).toEqual(['a.example', 'b.example'])
    expect((await loadConfig({ cwd: folder, env: {} })).hosts).toEqual([])
    const wrong = file("export default { server: { hosts: ['https://a.example'] } }")
    await expect(loadConfig({ file: wrong, env: {} })).rejects.toThrow(
      'server.hosts (from server.hosts): wanted host names',
    )
  })

  it('tells of values that no JSON can write', async () => {
    const path = file(
      "const ring = {}; ring.ring = ring; export default { store: ring, concurrency: 5n, lease: Object.create(null), beat: ['1s'] }",
    )
    const error = await loadConfig({ file: path, env: {} }).catch((caught: Error) => caught.message)
    expect(error).toContain('store (from store): wanted text, found a value of type object')
    expect(error).toContain('concurrency (from concurrency): wanted a whole number, found')
    expect(error).toContain('lease (from lease): wanted a duration')
    // A list of one text is none, whatever its String() says.
    expect(error).toContain('beat (from beat): wanted a duration')
  })

  it('has the channels for alerts that are named, and none where none are', async () => {
    const path = file("export default { alerts: [{ name: 'pager', send: async () => {} }] }")
    expect((await loadConfig({ file: path, env: {} })).alerts).toMatchObject([{ name: 'pager' }])
    expect((await loadConfig({ cwd: folder, env: {} })).alerts).toBeUndefined()
    for (const alerts of ['5', '[{}]'])
      await expect(loadConfig({ file: file(`export default { alerts: ${alerts} }`), env: {} })).rejects.toThrow(
        'alerts: wanted a list of what slackAlert({ … }), webhookAlert({ … }) … returns',
      )
  })

  it('says so where a named file is not there', async () => {
    await expect(loadConfig({ file: join(folder, 'nowhere.ts'), env: {} })).rejects.toMatchObject({
      code: 'config_invalid',
    })
  })
})

describe('nearest', () => {
  it('finds what was meant, and nothing where nothing is near', () => {
    expect(nearest('evnets', ['events', 'runs'])).toBe('events')
    expect(nearest('xyzzy', ['events', 'runs'])).toBeUndefined()
  })
})
