import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { mutated } from './mutant-runner.ts'
import { mutations } from './mutations.ts'

it('tells a failing seed as a shrunk story that a person can read', () => {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'hapax-story-'))
  try {
    for (const part of ['src', 'simulation', 'test/support/services', 'package.json'])
      cpSync(join(root, part), join(folder, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const mutation = mutations.find(({ name }) => name === 'other content called a duplicate')
    if (!mutation) throw new Error('the mutation is gone')
    const path = join(folder, mutation.file)
    writeFileSync(path, mutated(readFileSync(path, 'utf8'), mutation))
    const args = ['simulation/run.ts', '--seed', `${mutation.seed}`, '--seeds', '40']
    const { stdout, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^seed \d+\nG2\.verdict {2}The same content is a duplicate, other content a conflict\./)
    // Two events of one identity are all that it takes.
    expect(stdout).toMatch(/ {9}to 2 events, 0 acts, 0 faults, 1 nodes/)
    expect(stdout).toMatch(/sender {3}sends acme\/id-\d[\s\S]*! {8}G2\.verdict: .* has other content and got duplicate/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)
