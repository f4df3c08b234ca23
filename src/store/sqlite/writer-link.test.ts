import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { newPath, open } from '../../../test/support/sqlite-file.ts'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { ledgerDefaults } from './compaction.ts'
import { busyMs } from './connection.ts'
import { WriterLink } from './writer-link.ts'

test('a close does not wait for a process that holds the file', async () => {
  const path = newPath()
  const store = await open(path)
  const secret = await store.secret('name', new Uint8Array([7]))
  const holder = new DatabaseSync(path)
  holder.exec('begin immediate')
  const beganMs = systemClock.monotonicMs()
  await store.close()
  expect(systemClock.monotonicMs() - beganMs).toBeLessThan(busyMs / 2)
  holder.exec('rollback')
  holder.close()
  expect(await (await open(path)).secret('name', new Uint8Array([8]))).toEqual(secret)
})

test('a writer that dies rejects what was asked, and the next question starts another', async () => {
  const path = newPath()
  await (await open(path)).close()
  const start = { path, shards: 16, ledger: ledgerDefaults, maxPages: undefined, waitMs: 200 }
  const link = new WriterLink(start, systemClock, silentLog)
  await link.call('secret', ['a', Buffer.from('one')])
  // The writer is at the file's lock when it dies: it cannot have answered.
  const holder = new DatabaseSync(path)
  holder.exec('begin immediate')
  const asked = link.call('secret', ['b', Buffer.from('two')])
  const rejected = expect(asked).rejects.toMatchObject({ code: 'store_unavailable' })
  const crashed = link.crash()
  await Promise.all([rejected, crashed])
  holder.close()
  expect(Buffer.from(await link.call('secret', ['a', Buffer.from('other')])).toString()).toBe('one')
  await link.close()
})
