import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../kit/clock.ts'
import { prepareFile } from './connection.ts'
import { sqliteStore } from './index.ts'

/** The file system's type, where a test says what lies there. */
let type: number | undefined
/** What was opened by hand, beside SQLite. */
let opened: unknown[] = []
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  const statfsSync = (path: string) => ({ ...real.statfsSync(path), ...(type !== undefined && { type }) })
  const openSync = (...args: Parameters<typeof real.openSync>) => {
    const file = real.openSync(...args)
    opened.push(args[0])
    return file
  }
  return { ...real, statfsSync, openSync }
})

/** Opens the file of each round in the moment in which all others do. */
const opener = `
  const { workerData, parentPort } = require('node:worker_threads')
  import(workerData.module).then(({ connect }) => {
    const gate = new Int32Array(workerData.gate)
    for (let round = 0; round < workerData.rounds; round++) {
      // All of a round open its file at once.
      if (Atomics.add(gate, round, 1) + 1 === workerData.openers) Atomics.notify(gate, round)
      for (let seen = Atomics.load(gate, round); seen < workerData.openers; seen = Atomics.load(gate, round)) {
        Atomics.wait(gate, round, seen)
      }
      try { connect({ path: workerData.folder + '/' + round + '.db', cacheKib: 64 }).close() }
      catch (error) { parentPort.postMessage(round + ': ' + error.message) }
    }
  })`

describe('a SQLite file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-connection-'))
  afterEach(() => {
    type = undefined
    opened = []
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([
    [0x6969, 'NFS'],
    // As a signed number, which some platforms give.
    [0xff534d42 | 0, 'CIFS'],
    [0x01021997, '9P'],
  ])('on a network file system (%i, %s) is refused, and not made', (found, name) => {
    type = found
    const path = join(folder, `network-${name}.db`)
    expect(() => prepareFile(path)).toThrow(
      expect.objectContaining({
        code: 'store_refused',
        message: expect.stringContaining(`lies on a network file system (${name})`),
      }),
    )
    expect(existsSync(path)).toBe(false)
  })

  it('on a local disk is made, readable by its owner alone', () => {
    const path = join(folder, 'local.db')
    prepareFile(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('that is there is not opened by hand: to close that again would drop the locks of all connections of the process', () => {
    const path = join(folder, 'twice.db')
    prepareFile(path)
    expect(opened).toEqual([path])
    prepareFile(path)
    expect(opened).toEqual([path])
  })

  it('is refused where something else lies there, and says what', () => {
    expect(() => prepareFile(folder)).toThrow(
      expect.objectContaining({
        code: 'store_refused',
        message: expect.stringContaining(`${folder} is there and is no file`),
      }),
    )
  })

  it('that was opened and closed leaves all in its one file', async () => {
    const own = mkdtempSync(join(folder, 'close-'))
    const store = await sqliteStore({ path: join(own, 'hapax.db'), clock: systemClock })
    await store.close()
    expect(readdirSync(own)).toEqual(['hapax.db'])
  })

  it('is opened by all who open it at once, when it is new', async () => {
    const [openers, rounds] = [3, 40]
    const gate = new SharedArrayBuffer(rounds * 4)
    const module = new URL('./connection.ts', import.meta.url).href
    const failed: unknown[] = []
    await Promise.all(
      Array.from({ length: openers }, () => {
        const worker = new Worker(opener, { eval: true, workerData: { module, gate, folder, openers, rounds } })
        worker.on('message', (text) => failed.push(text))
        return new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject))
      }),
    )
    expect(failed).toEqual([])
  })
})
