import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createClient } from '../../client/http-client.ts'
import { systemClock } from '../../kit/clock.ts'
import { seededRandom } from '../../kit/random.ts'
import type { Context } from '../command.ts'
import { runCli } from '../run-cli.ts'

/** `hapax dev` in a folder of its own, over children that end when they are told to. */
function developing() {
  const cwd = mkdtempSync(join(tmpdir(), 'hapax-dev-'))
  const change = (text: string) => writeFileSync(join(cwd, 'hapax.config.mjs'), `export default {} // ${text}\n`)
  change('first')
  const children: { args: readonly string[]; end(code: number): void }[] = []
  const waiting: (() => void)[] = []
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const context: Context = {
    out: () => {},
    err: () => {},
    tty: false,
    env: {},
    cwd,
    clock: systemClock,
    random: seededRandom(1),
    client: () => createClient(),
    stdin: async () => new Uint8Array(),
    stopped: () => stopped,
    spawn: (args) => {
      const { promise, resolve } = Promise.withResolvers<number>()
      children.push({ args, end: resolve })
      for (const wake of waiting.splice(0)) wake()
      return { stop: () => resolve(0), ended: promise }
    },
  }
  /** Resolves when so many children were started. */
  const started = async (many: number) => {
    while (children.length < many) await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const ended = runCli(context, ['dev', '--port', '0']).finally(() => rmSync(cwd, { recursive: true, force: true }))
  return { change, children, started, stop, ended }
}

describe('hapax dev', () => {
  it('serves a store of its own, and restarts on a change until it is stopped', async () => {
    const { change, children, started, stop, ended } = developing()
    await started(1)
    expect(children[0]?.args).toEqual([
      'serve',
      expect.stringContaining('hapax.config.mjs'),
      '--store',
      'sqlite:.hapax/dev.db',
      '--port',
      '0',
    ])
    change('second')
    await started(2)
    stop()
    expect(await ended).toBe(0)
    expect(children).toHaveLength(2)
  })

  it('waits for the change that mends a child which failed, and starts it once', async () => {
    const { change, children, started, stop, ended } = developing()
    await started(1)
    children[0]?.end(1)
    change('mended')
    await started(2)
    stop()
    expect(await ended).toBe(0)
    expect(children).toHaveLength(2)
  })

  it('stops while it waits for a change', async () => {
    const { children, started, stop, ended } = developing()
    await started(1)
    children[0]?.end(1)
    stop()
    expect(await ended).toBe(0)
  })
})
