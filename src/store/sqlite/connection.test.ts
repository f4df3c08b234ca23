import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../kit/clock.ts'
import { sqliteStore } from './index.ts'

test('a store that was opened and closed leaves all in its one file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-close-'))
  try {
    const store = await sqliteStore({ path: join(folder, 'hapax.db'), clock: systemClock })
    await store.close()
    expect(readdirSync(folder)).toEqual(['hapax.db'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
