import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HapaxError } from '../src/errors/hapax-error.ts'
import type { Failure } from './campaign.ts'
import type { Mutation } from './mutations.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A mutant may loop for ever in one moment of virtual time: it is ended after this, and counts as not caught. */
const patienceMs = { memory: 240_000, postgres: 600_000 } as const

/** How far from the recorded seed it is looked for, before and after. */
const around = { memory: [20, 20], postgres: [0, 60] } as const

/** What became of a mutant. */
export interface Verdict {
  /** The seed that caught it by the invariant meant for it. */
  readonly seed: number | undefined
  /** What else noticed, at that seed or before. */
  readonly others: readonly string[]
}

/** A copy of the source tree, in which one bug at a time is planted. */
export class Mutants {
  readonly #folder = mkdtempSync(join(tmpdir(), 'hapax-mutants-'))
  readonly #store: keyof typeof around
  readonly #server: string | undefined

  /** @param server URL of the PostgreSQL that they are simulated on; none: the memory store */
  constructor(server?: string) {
    this.#store = server === undefined ? 'memory' : 'postgres'
    this.#server = server
    for (const part of ['src', 'simulation', 'test/support/services', 'package.json'])
      cpSync(join(root, part), join(this.#folder, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'))
  }

  /** Plants the bug, simulates, and takes it out again. @param search from seed 1 so many, instead of the recorded seed */
  async run(mutation: Mutation, search?: number): Promise<Verdict> {
    const path = join(this.#folder, mutation.file)
    const source = readFileSync(path, 'utf8')
    writeFileSync(path, mutated(source, mutation))
    const [before, after] = around[this.#store]
    const from = search === undefined ? Math.max(1, mutation.seed - before) : 1
    const seeds = search ?? mutation.seed + after - from + 1
    try {
      const failures = await this.#simulate(from, seeds, mutation)
      const caught = failures.find(({ violations }) =>
        violations.some((violation) => violation.invariant === mutation.killedBy),
      )
      const all = failures.flatMap(({ violations }) => violations.map((violation) => violation.invariant))
      return { seed: caught?.seed, others: [...new Set(all)].filter((name) => name !== mutation.killedBy).sort() }
    } finally {
      writeFileSync(path, source)
    }
  }

  #simulate(seed: number, seeds: number, { killedBy, ofLimits, ofFlow }: Mutation): Promise<readonly Failure[]> {
    const args = [
      'simulation/run.ts',
      '--seed',
      `${seed}`,
      '--seeds',
      `${seeds}`,
      '--until',
      killedBy,
      '--json',
      ...(ofLimits ? [] : ofFlow ? ['--plain', '--flow'] : ['--plain']),
      '--store',
      this.#store,
    ]
    return new Promise((resolve) => {
      // Theirs is not to start a server: one that is ended for its patience would leave it behind.
      const env = { ...process.env, ...(this.#server !== undefined && { HAPAX_TEST_POSTGRES_URL: this.#server }) }
      const limits = { cwd: this.#folder, env, timeout: patienceMs[this.#store], maxBuffer: 64 * 1_048_576 }
      execFile(process.execPath, args, limits, (_error, output, complaint) => {
        try {
          const { failures }: { failures: readonly Failure[] } = JSON.parse(output)
          resolve(failures)
        } catch {
          // It crashed, or was ended: no invariant has caught it. What it said is for whoever looks why.
          if (complaint !== '') console.error(complaint.slice(0, 2_000))
          resolve([])
        }
      })
    })
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The source with the bug in it. @throws `config_invalid` where its place is not there exactly once */
export function mutated(source: string, { name, file, find, replace }: Mutation): string {
  const places = source.split(find).length - 1
  if (places !== 1)
    throw new HapaxError('config_invalid', {
      problems: `mutation "${name}": found ${places} times in ${file}, wanted once`,
    })
  return source.replace(find, () => replace)
}
