import { posix } from 'node:path'
import { type SourceText, uncommented } from './source-text.ts'

/** One breach: where, what, and what to do. */
export interface Breach {
  readonly path: string
  readonly line: number | undefined
  readonly says: string
}

/** A rule over all source files. */
export type Rule = (files: readonly SourceText[]) => Breach[]

const base = ['event', 'kit', 'errors']
const storeContract = ['store']

/** DESIGN section 9: what a folder of `src/` may import, beside itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  kit: ['errors'],
  event: ['kit', 'errors'],
  sources: base,
  alerts: ['sources', ...base],
  store: base,
  config: ['sources', 'engine', ...base],
  flow: [...storeContract, ...base],
  'store/memory': [...storeContract, ...base],
  'store/sql': [...storeContract, ...base],
  'store/sqlite': ['store/sql', ...storeContract, ...base],
  'store/postgres': ['store/sql', ...storeContract, ...base],
  engine: ['flow', ...storeContract, ...base],
  ingress: ['engine', 'sources', ...base],
  testing: ['engine', 'flow', 'sources', 'store', 'store/memory', ...base],
  // The library's door: src/index.ts and src/hapax.ts.
  '': ['config', 'engine', 'flow', 'sources', 'alerts', 'store', 'ingress', ...base],
  client: ['', 'engine', 'server', 'config', 'ingress', 'sources', 'store', ...base],
  server: ['', 'engine', 'flow', 'config', 'ingress', 'sources', 'store', 'client', ...base],
  cli: ['', 'engine', 'flow', 'config', 'ingress', 'sources', 'store', 'client', 'server', ...base],
}

/** What the simulation may import beside itself: the engine's own folders, never a door. */
const simulationMay: readonly string[] = ['engine', 'flow', 'store', 'store/memory', 'testing', ...base]

/** What its part below a driver may: that driver, and a server to run it on. */
const belowDriverMay: readonly string[] = [...simulationMay, 'store/postgres', 'store/sql']

const folders = Object.keys(arrows).sort((one, other) => other.length - one.length)

/** The folder of the table that a path under `src/` belongs to. */
export function folderOf(path: string): string {
  const inside = path.replace(/^src\//, '')
  return folders.find((folder) => folder !== '' && inside.startsWith(`${folder}/`)) ?? (inside.includes('/') ? '?' : '')
}

/** Arrows point down only; `simulation/` is above the engine and beside the product. */
export const importArrows: Rule = (files) =>
  files.flatMap(({ path, imports }) => {
    if (path.startsWith('simulation/')) {
      const may = path.startsWith('simulation/postgres/') ? belowDriverMay : simulationMay
      return imports.flatMap(({ specifier }) => {
        const target = posix.normalize(posix.join(posix.dirname(path), specifier))
        if (!specifier.startsWith('.') || target.startsWith('simulation/') || target === '.') return []
        if (target.startsWith('src/') && may.includes(folderOf(target))) return []
        if (may === belowDriverMay && target.startsWith('test/support/services/')) return []
        return [breach(path, undefined, `imports ${specifier}: the simulation may import ${may.join(', ')}`)]
      })
    }
    if (!path.startsWith('src/')) return []
    const from = folderOf(path)
    const test = path.endsWith('.test.ts')
    return imports.flatMap(({ specifier, dynamic }) => {
      if (!specifier.startsWith('.') || (test && specifier.includes('/test/support/'))) return []
      const to = folderOf(posix.normalize(posix.join(posix.dirname(path), specifier)))
      const allowed = [from, ...(arrows[from] ?? []), ...(test ? ['testing', 'store/memory', 'engine', ''] : [])]
      if (allowed.includes(to) || (path === 'src/store/open-store.ts' && dynamic)) return []
      return [
        breach(
          path,
          undefined,
          `imports ${specifier}: ${from || 'the door'} may not import ${to || 'the door'} (see ARCHITECTURE.md)`,
        ),
      ]
    })
  })

/** What only `src/kit` may touch, and what to use instead. */
const kitOnly: readonly [RegExp, string][] = [
  [/\bnew Date\b|\bDate\s*[.(]/, 'use the Clock that is handed in, or a function of src/kit'],
  [/\bperformance\s*\./, 'use clock.monotonicMs()'],
  [/\bset(?:Timeout|Interval|Immediate)\s*\(/, 'use clock.setTimer() or clock.turn()'],
  [/\bMath\.random\b/, 'use the Random that is handed in'],
  [/\brandom(?:Bytes|UUID|Int|FillSync|Fill)\s*\(/, 'use the Random that is handed in'],
  [/\bAbortSignal\.timeout\b/, 'use clock.setTimer() and an AbortController'],
  [/\bprocess\.(?:hrtime|nextTick)\b/, 'use clock.monotonicMs() or clock.turn()'],
]

/** The other clock: it turns the real event loop while virtual time stands. */
const fakeClock = 'src/testing/fake-clock.ts'

/** Time and randomness come from `kit`, so that the engine runs on virtual time. */
export const clocksInKit: Rule = (files) =>
  eachLine(
    files,
    (path) => inSource(path) && !path.startsWith('src/kit/') && path !== fakeClock,
    (line) =>
      kitOnly.flatMap(([pattern, cure]) =>
        pattern.test(line) ? [`${pattern.exec(line)?.[0]} outside src/kit: ${cure}`] : [],
      ),
  )

/** The environment is read in one place. */
export const environmentInLoad: Rule = (files) =>
  eachLine(
    files,
    (path) => inSource(path) && path !== 'src/config/load.ts',
    (line) =>
      /\bprocess\.env\b/.test(line)
        ? ['process.env outside src/config/load.ts: add an option to src/config/schema.ts']
        : [],
  )

/** Errors have codes. */
export const noBareErrors: Rule = (files) =>
  eachLine(files, inSource, (line) =>
    /\bnew (?:Type|Range|Syntax)?Error\(/.test(line)
      ? ['a bare Error: throw a HapaxError with a code of src/errors/catalogue.ts']
      : [],
  )

/** No notes to self, no paths of a machine, no registry hosts. */
export const nothingLeftBehind: Rule = (files) =>
  files.flatMap(({ path, whole }) =>
    whole.split('\n').flatMap((line, index) => {
      const found = leftovers.filter(([pattern]) => pattern.test(line))
      return found.map(([, says]) => breach(path, index + 1, says))
    }),
  )

const leftovers: readonly [RegExp, string][] = [
  [
    new RegExp(`\\b(?:${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')})\\b`),
    'a note to self: do it, or open an issue',
  ],
  [/(?:^|[\s"'`(])\/(?:work|home|root|Users)\//, 'a path of one machine'],
  [new RegExp(`registry\\.${'npmjs'}|${'npmmirror'}`), 'a registry host'],
]

/** A file near 400 lines has a second job; the exceptions say why. */
export const filesOfOneJob =
  (linesMax: number, exceptions: Readonly<Record<string, string>>): Rule =>
  (files) => [
    ...files.flatMap(({ path, whole }) => {
      const lines = whole.split('\n').length
      if (lines <= linesMax || exceptions[path]) return []
      return [breach(path, undefined, `${lines} lines, at most ${linesMax}: look for its second job`)]
    }),
    ...Object.keys(exceptions).flatMap((path) => {
      const file = files.find((one) => one.path === path)
      if (file && file.whole.split('\n').length > linesMax) return []
      return [breach(path, undefined, 'is no exception any more: take it off the list')]
    }),
  ]

/** Every test lies beside what it tests, or in test/ and tools/. */
export const testsBesideCode: Rule = (files) => {
  const paths = new Set(files.map((file) => file.path))
  return files.flatMap(({ path }) => {
    if (!path.startsWith('src/') || !path.endsWith('.test.ts')) return []
    const subject = path.replace('.test.ts', '.ts')
    const folder = posix.basename(posix.dirname(path))
    if (paths.has(subject) || posix.basename(path) === `${folder}.test.ts`) return []
    return [breach(path, undefined, `there is no ${posix.basename(subject)} beside it`)]
  })
}

/** Every file is reached from a door. */
export const noDeadFiles =
  (doors: readonly string[]): Rule =>
  (files) => {
    const byPath = new Map(files.map((file) => [file.path, file]))
    const reached = new Set<string>()
    const open = doors.filter((door) => byPath.has(door))
    const missing = doors
      .filter((door) => !byPath.has(door))
      .map((door) => breach(door, undefined, 'a door that is not there'))
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      if (reached.has(path)) continue
      reached.add(path)
      for (const { specifier } of byPath.get(path)?.imports ?? []) {
        if (!specifier.startsWith('.')) continue
        const target = posix.normalize(posix.join(posix.dirname(path), specifier)).replace(/\$\{[^}]*\}$/, '')
        for (const candidate of [target, `${target}.ts`, target.replace(/\.js$/, '.ts')])
          if (byPath.has(candidate)) open.push(candidate)
      }
    }
    const dead = files.filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts') && !reached.has(path))
    return [
      ...missing,
      ...dead.map(({ path }) => breach(path, undefined, 'is reached from no door: delete it, or import it')),
    ]
  }

/** How a code is told without an error being made where it is found, each as the text before it. */
const told = {
  /** A source's verdict: the ingress makes the error. */
  verdict: /\bok: false, code: (?:\w+ \? )?(?:'\w+' : )?/,
  /** An ingress's ticket, which knows the source to count it for. */
  ticket: /\.refuse\(/,
  /** The name that the HTTP parser's own error has here. */
  parser: /\b[A-Z_]+: /,
} as const

/**
 * Every code is thrown: by `new HapaxError('code'`, or in the way that is declared for it; the compiler holds that every
 * thrown code is listed. That its word occurs somewhere proves nothing: `conflict` is also an outcome.
 *
 * @param declared codes that no `new HapaxError('code'` names, and how they are told instead
 */
export const codesAreUsed =
  (codes: readonly string[], declared: Readonly<Record<string, keyof typeof told>> = {}): Rule =>
  (files) => {
    const text = productText(files)
    const isThrown = (code: string) => new RegExp(`\\bnew HapaxError\\(\\s*'${code}'`).test(text)
    const isTold = (code: string, how: keyof typeof told) => new RegExp(`${told[how].source}'${code}'`).test(text)
    const says = (code: string): string | undefined => {
      const how = declared[code]
      if (how === undefined) return isThrown(code) ? undefined : 'is thrown nowhere: use it or delete it'
      if (isThrown(code)) return 'is thrown, and need not be declared'
      return isTold(code, how) ? undefined : `is declared as told by a ${how}, and is not`
    }
    const stale = Object.keys(declared).filter((code) => !codes.includes(code))
    return [...codes, ...stale].flatMap((code) => {
      const found = codes.includes(code) ? says(code) : 'is declared, and is no code'
      return found === undefined ? [] : [breach(cataloguePath, undefined, `${code} ${found}`)]
    })
  }

/** Every reason that is listed is given somewhere, and no code has its name; every refusal of a verb is listed. */
export const reasonsAreGiven =
  (reasons: readonly string[], codes: readonly string[]): Rule =>
  (files) => {
    const text = productText(files)
    const given = (word: string) =>
      new RegExp(`(?:\\brefused\\(|\\breason: |\\boutcome = [^\\n]*|\\bdead\\(\\w+, )'${word}'`).test(text)
    const refusals = new Set([...text.matchAll(/\brefused\('(\w+)'\)/g)].map((match) => match[1] ?? ''))
    return [
      ...reasons
        .filter((word) => !given(word))
        .map((word) => breach(cataloguePath, undefined, `${word} is a reason that nothing gives: delete it`)),
      ...reasons
        .filter((word) => codes.includes(word))
        .map((word) => breach(cataloguePath, undefined, `${word} is listed twice, as a code and as a reason`)),
      ...[...refusals]
        .filter((word) => !reasons.includes(word) && !codes.includes(word))
        .map((word) => breach(cataloguePath, undefined, `a verb is refused as ${word}, which is not listed`)),
    ]
  }

const cataloguePath = 'src/errors/catalogue.ts'

function productText(files: readonly SourceText[]): string {
  return files
    .filter(({ path }) => inSource(path) && path !== cataloguePath && !path.startsWith('src/testing/'))
    .map(({ whole }) => uncommented(whole))
    .join('\n')
}

function inSource(path: string): boolean {
  return path.startsWith('src/') && !path.endsWith('.test.ts')
}

function eachLine(
  files: readonly SourceText[],
  takes: (path: string) => boolean,
  judge: (line: string) => string[],
): Breach[] {
  return files.flatMap(({ path, code }) =>
    takes(path)
      ? code.split('\n').flatMap((line, index) => judge(line).map((says) => breach(path, index + 1, says)))
      : [],
  )
}

function breach(path: string, line: number | undefined, says: string): Breach {
  return { path, line, says }
}
