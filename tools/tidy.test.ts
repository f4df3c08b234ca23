import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { catalogue, reasons } from '../src/errors/catalogue.ts'
import {
  type Breach,
  clocksInKit,
  codesAreUsed,
  environmentInLoad,
  filesOfOneJob,
  importArrows,
  noBareErrors,
  noDeadFiles,
  nothingLeftBehind,
  type Rule,
  reasonsAreGiven,
  testsBesideCode,
} from './house-rules.ts'
import { blanked, type SourceText, sourceText } from './source-text.ts'

const root = new URL('..', import.meta.url)
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(new URL(path, root)))
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const files: SourceText[] = tracked.filter((path) => path.endsWith('.ts')).map((path) => sourceText(path, read(path)))
const texts = tracked
  .filter(
    (path) =>
      /\.(?:ts|md|json|ya?ml|js|mjs|sh)$|^\.ci\/run$/.test(path) &&
      !path.includes('/fixtures/') &&
      path !== 'tools/house-rules.ts',
  )
  .map((path) => ({ path, whole: read(path), code: '', imports: [] }))

const manifest: { exports: Record<string, string | { default: string }>; bin: Record<string, string> } = JSON.parse(
  read('package.json'),
)
const built = [
  ...Object.values(manifest.exports).map((door) => (typeof door === 'string' ? door : door.default)),
  ...Object.values(manifest.bin),
]
// tools/docs.ts makes a page of it.
const pages = ['src/cli/cli-page.ts']
const doors = built
  .filter((path) => path.startsWith('./dist/'))
  .map((path) => path.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))

/** Why these are longer than the house likes. */
const longFiles: Readonly<Record<string, string>> = {
  'src/store/store.ts': 'the contract, on one page: mostly doc comments',
  'src/store/postgres/late-fingerprint.test.ts': 'one subject, by six lines',
  'src/store/postgres/ranges.test.ts': 'one subject: what a range of time may drop, and what not',
}

/** Codes of which no error is made where they are found. */
const toldCodes = {
  signature_missing: 'verdict',
  signature_invalid: 'verdict',
  signature_stale: 'verdict',
  raw_body_missing: 'ticket',
  request_timeout: 'parser',
} as const

const told = (breaches: readonly Breach[]) =>
  breaches.map(({ path, line, says }) => `${path}${line ? `:${line}` : ''} ${says}`)
const one = (path: string, text: string) => [sourceText(path, text)]

describe('the house', () => {
  const rules: readonly [string, Rule, readonly SourceText[]][] = [
    ['imports point down', importArrows, files],
    ['time and randomness come from kit', clocksInKit, files],
    ['the environment is read in one place', environmentInLoad, files],
    ['errors have codes', noBareErrors, files],
    ['nothing is left behind', nothingLeftBehind, texts],
    ['a file has one job', filesOfOneJob(400, longFiles), files],
    ['tests lie beside code', testsBesideCode, files],
    ['every file is reached from a door', noDeadFiles([...doors, ...pages]), files],
    ['every error code is thrown', codesAreUsed(Object.keys(catalogue), toldCodes), files],
    ['every reason is given', reasonsAreGiven(Object.keys(reasons), Object.keys(catalogue)), files],
  ]
  for (const [name, rule, over] of rules) it(name, () => expect(told(rule(over))).toEqual([]))

  it('keeps no download address in the lock file', () => {
    expect(read('package-lock.json')).not.toMatch(/"resolved": "http/)
  })
})

describe('each rule can fail', () => {
  it('imports', () => {
    expect(importArrows(one('src/kit/x.ts', "import { a } from '../engine/engine.ts'\n"))).toHaveLength(1)
    expect(importArrows(one('src/engine/x.ts', "import { a } from '../store/sqlite/index.ts'\n"))).toHaveLength(1)
    expect(importArrows(one('src/cli/x.ts', "import type { a } from '../testing/index.ts'\n"))).toHaveLength(1)
    expect(importArrows(one('src/engine/x.ts', "import { a } from '../kit/clock.ts'\n"))).toEqual([])
    expect(importArrows(one('simulation/x.ts', "import { a } from '../src/store/sqlite/index.ts'\n"))).toHaveLength(1)
    expect(importArrows(one('simulation/x.ts', "import { a } from '../src/engine/engine.ts'\n"))).toEqual([])
    const driver = "import { a } from '../../src/store/postgres/index.ts'\n"
    const server = "import { a } from '../../test/support/services/postgres.ts'\n"
    expect(importArrows(one('simulation/model/x.ts', driver + server))).toHaveLength(2)
    expect(importArrows(one('simulation/postgres/x.ts', driver + server))).toEqual([])
  })

  it('clocks, environment, errors', () => {
    for (const code of [
      'Date.now()',
      'new Date()',
      'setTimeout(() => {}, 1)',
      'Math.random()',
      'randomBytes(3)',
      'performance.now()',
    ]) {
      expect(clocksInKit(one('src/engine/x.ts', `const a = ${code}\n`))).toHaveLength(1)
      expect(clocksInKit(one('src/kit/x.ts', `const a = ${code}\n`))).toEqual([])
    }
    expect(environmentInLoad(one('src/cli/x.ts', 'const a = process.env.A\n'))).toHaveLength(1)
    expect(noBareErrors(one('src/cli/x.ts', "throw new Error('x')\n"))).toHaveLength(1)
  })

  it('comments and strings are not code', () => {
    const text =
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a template's inside is what is tested.
      "// new Error('x')\nconst a = 'Date.now()' /* setTimeout( */\nconst b = `${Date.now()} new Error(`\nconst c = /new Error\\(/\n"
    expect(noBareErrors(one('src/cli/x.ts', text))).toEqual([])
    expect(clocksInKit(one('src/cli/x.ts', text))).toHaveLength(1)
    expect(blanked('a // b\nc')).toBe('a     \nc')
  })

  it('leftovers, sizes, tests, dead files, codes', () => {
    expect(nothingLeftBehind(one('src/x.ts', `// ${'TO'}${'DO'} later\n`))).toHaveLength(1)
    expect(nothingLeftBehind(one('docs/x.md', `see /${'home'}/me/x\n`))).toHaveLength(1)
    for (const path of ['src/x.ts', 'src/x.test.ts', 'simulation/x.ts']) {
      expect(filesOfOneJob(3, {})(one(path, 'a\nb\nc\nd\n'))).toHaveLength(1)
    }
    expect(filesOfOneJob(3, { 'src/x.ts': 'long' })(one('src/x.ts', 'a\n'))).toHaveLength(1)
    expect(testsBesideCode(one('src/engine/lonely.test.ts', ''))).toHaveLength(1)
    expect(noDeadFiles(['src/index.ts'])([...one('src/index.ts', ''), ...one('src/kit/dead.ts', '')])).toHaveLength(1)
  })

  it('codes and reasons', () => {
    const thrown = one('src/x.ts', "throw new HapaxError('gone')\n")
    const named = one('src/x.ts', "// new HapaxError('gone')\nconst outcome: 'gone' = 'gone'\n")
    expect(codesAreUsed(['gone'])(thrown)).toEqual([])
    expect(codesAreUsed(['gone'])(named)).toHaveLength(1)
    expect(codesAreUsed(['gone'])(one('src/testing/x.ts', "new HapaxError('gone')\n"))).toHaveLength(1)
    expect(codesAreUsed(['gone'], { gone: 'verdict' })(thrown)).toHaveLength(1)
    expect(codesAreUsed(['gone'], { gone: 'verdict' })(named)).toHaveLength(1)
    expect(codesAreUsed([], { gone: 'verdict' })(thrown)).toHaveLength(1)
    expect(codesAreUsed(['gone'], { gone: 'verdict' })(one('src/x.ts', "{ ok: false, code: 'gone' }\n"))).toEqual([])
    expect(codesAreUsed(['gone'], { gone: 'ticket' })(one('src/x.ts', "ticket.refuse('gone')\n"))).toEqual([])
    expect(reasonsAreGiven(['gone'], [])(named)).toHaveLength(1)
    expect(reasonsAreGiven(['gone'], ['gone'])(one('src/x.ts', "{ reason: 'gone' }\n"))).toHaveLength(1)
    expect(reasonsAreGiven([], [])(one('src/x.ts', "return refused('gone')\n"))).toHaveLength(1)
    expect(reasonsAreGiven(['gone'], [])(one('src/x.ts', "return refused('gone')\n"))).toEqual([])
  })
})
