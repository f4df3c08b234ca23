import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The whole gate, the same for people (`npm run check`) and for CI: the tests, then lint, types, tidy, build, docs, package.
 * The last line has the true counts: each test, and each other stage as one.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'hapax-gate-'))

interface Stage {
  readonly name: string
  readonly command: readonly string[]
  /** A vitest run: its report is counted test by test. */
  readonly counts?: boolean
}

const report = (name: string) => join(work, `${name}.json`)
const reporters = (name: string) => ['--reporter=default', '--reporter=json', `--outputFile.json=${report(name)}`]

const stages: readonly Stage[] = [
  { name: 'test', command: ['npm', 'test', '--', ...reporters('test')], counts: true },
  { name: 'node 26', command: ['npm', 'run', '-s', 'test:node26', '--', ...reporters('node 26')], counts: true },
  { name: 'lint', command: ['npm', 'run', '-s', 'lint'] },
  { name: 'types', command: ['npm', 'run', '-s', 'types'] },
  { name: 'tidy', command: ['npm', 'run', '-s', 'tidy'] },
  { name: 'docs', command: ['npm', 'run', '-s', 'docs', '--', '--check'] },
  { name: 'bench smoke', command: ['npm', 'run', '-s', 'bench', '--', '--smoke'] },
  { name: 'package', command: ['npm', 'run', '-s', 'package'] },
]

let passed = 0
let failed = 0
const times: string[] = []
for (const stage of stages) {
  console.log(`\n── ${stage.name}`)
  const began = process.hrtime.bigint()
  const [command = 'npm', ...args] = stage.command
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  const counted = stage.counts ? countsOf(stage.name) : { passed: 0, failed: 0 }
  passed += counted.passed
  failed += counted.failed
  // A test run that fails beside its tests (an unhandled error, no test found) counts as one more.
  if (done.status !== 0 && counted.failed === 0) failed++
  else if (!stage.counts && done.status === 0) passed++
  times.push(`${stage.name.padEnd(12)} ${seconds.toFixed(0).padStart(5)} s  ${done.status === 0 ? 'ok' : 'FAILED'}`)
}
rmSync(work, { recursive: true, force: true })
console.log(`\n${times.join('\n')}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

function countsOf(name: string): { passed: number; failed: number } {
  if (!existsSync(report(name))) return { passed: 0, failed: 0 }
  const { numPassedTests, numFailedTests }: { numPassedTests: number; numFailedTests: number } = JSON.parse(
    readFileSync(report(name), 'utf8'),
  )
  return { passed: numPassedTests, failed: numFailedTests }
}
