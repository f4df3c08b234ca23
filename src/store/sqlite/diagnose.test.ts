import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { diagnose } from './diagnose.ts'

it('says where the file can be read by others, the log is long, and the disk is nearly full', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-diagnose-'))
  try {
    const path = join(folder, 'store.db')
    writeFileSync(path, '', { mode: 0o600 })
    expect((await diagnose(path, { freeBytes: 1 })).map(({ about, state }) => [about, state])).toEqual([
      ['file', 'ok'],
      ['log', 'ok'],
      ['disk', 'ok'],
    ])
    chmodSync(path, 0o644)
    writeFileSync(`${path}-wal`, '')
    truncateSync(`${path}-wal`, 2_097_152)
    const [file, log, disk] = await diagnose(path, { freeBytes: Number.MAX_SAFE_INTEGER, logBytes: 1_048_576 })
    expect(file).toMatchObject({ state: 'warn', found: expect.stringContaining('mode 644'), todo: `chmod 600 ${path}` })
    expect(log).toMatchObject({ state: 'warn', found: 'the log has 2 MiB', wanted: 'at most 1 MiB' })
    expect(disk).toMatchObject({ state: 'warn' })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
