import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../kit/clock.ts'
import { busyMs } from './connection.ts'
import { sqliteStore } from './index.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hapax-closing-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a close does not wait for a process that holds the file', async () => {
  const path = join(folder, 'hapax.db')
  const store = await sqliteStore({ path, clock: systemClock })
  const secret = await store.secret('name', new Uint8Array([7]))
  const holder = new DatabaseSync(path)
  holder.exec('begin immediate')
  const beganMs = systemClock.monotonicMs()
  await store.close()
  expect(systemClock.monotonicMs() - beganMs).toBeLessThan(busyMs / 2)
  holder.exec('rollback')
  holder.close()
  const again = await sqliteStore({ path, clock: systemClock })
  expect(await again.secret('name', new Uint8Array([8]))).toEqual(secret)
  await again.close()
})
