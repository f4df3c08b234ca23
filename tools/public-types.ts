import { posix } from 'node:path'
import type { Breach } from './house-rules.ts'

/** A declaration file of the built package. */
export interface DeclarationFile {
  /** Like `dist/index.d.ts`. */
  readonly path: string
  readonly text: string
}

/** Where a name was declared. */
interface Origin {
  readonly path: string
  readonly name: string
}

/** A declaration file, taken apart by its lines: what the compiler writes begins each statement in the first column. */
interface Parsed {
  readonly declarations: ReadonlyMap<string, string>
  readonly imports: ReadonlyMap<string, Origin>
  readonly exports: ReadonlyMap<string, Origin>
  /** Declarations with a doc comment. */
  readonly documented: ReadonlySet<string>
}

/**
 * Whoever holds a value can name its type: every type in the declaration of something that a door exports is exported by
 * a door too.
 */
export function publicTypes(files: readonly DeclarationFile[], doors: readonly string[]): Breach[] {
  const { exported, origin, parsed } = exportsOf(files, doors)
  const known = new Set(exported.map(nameOf))
  const missing = new Map<string, Breach>()
  for (const { path, name } of exported) {
    const file = parsed.get(path)
    const text = file?.declarations.get(name)
    if (!file || text === undefined) continue
    for (const word of new Set(text.match(/\b[A-Z]\w*\b/g))) {
      const named = file.imports.has(word) || (file.declarations.has(word) && word !== name)
      const from = origin(path, word)
      if (!named || !parsed.has(from.path) || known.has(nameOf(from))) continue
      const says = `${word} is named by ${name}, and no door exports it: whoever holds one cannot name its type`
      missing.set(nameOf(from), { path: from.path, line: undefined, says })
    }
  }
  return [...missing.values()]
}

/** What a door exports says what it is. */
export function documented(files: readonly DeclarationFile[], doors: readonly string[]): Breach[] {
  const { exported, parsed } = exportsOf(files, doors)
  return exported
    .filter(({ path, name }) => parsed.get(path)?.declarations.has(name) && !parsed.get(path)?.documented.has(name))
    .map(({ path, name }) => ({ path, line: undefined, says: `${name} is public and has no doc comment` }))
}

/** All that the doors export, by where it is declared. */
function exportsOf(files: readonly DeclarationFile[], doors: readonly string[]) {
  const parsed = new Map(files.map(({ path, text }) => [path, parse(path, text)]))
  const origin = (path: string, name: string): Origin => {
    const file = parsed.get(path)
    const from = file?.exports.get(name) ?? file?.imports.get(name)
    return from && parsed.has(from.path) ? origin(from.path, from.name) : { path, name }
  }
  const exported = doors.flatMap((door) => {
    const file = parsed.get(door)
    if (!file) return []
    const own = [...file.declarations].flatMap(([name, text]) => (/^export /m.test(text) ? [name] : []))
    return [...own, ...file.exports.keys()].map((name) => origin(door, name))
  })
  return { parsed, origin, exported }
}

function nameOf({ path, name }: Origin): string {
  return `${path}#${name}`
}

function parse(path: string, text: string): Parsed {
  const declarations = new Map<string, string>()
  const imports = new Map<string, Origin>()
  const exports = new Map<string, Origin>()
  for (const statement of statementsOf(text)) {
    const list = /^(import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'(\.[^']+)'/.exec(statement)
    if (list) {
      const [, kind, names = '', specifier = ''] = list
      const from = posix.normalize(posix.join(posix.dirname(path), specifier)).replace(/(?:\.d)?\.[tj]s$/, '.d.ts')
      for (const item of names.split(',')) {
        const [name, alias = name] = item
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)
        if (name && alias) (kind === 'import' ? imports : exports).set(alias, { path: from, name })
      }
      continue
    }
    const declared =
      /^(?:export\s+)?(?:declare\s+)?(?:abstract\s+)?(?:interface|type|function|const|class)\s+(\w+)/.exec(statement)
    // Overloads of a function are statements of their own.
    if (declared?.[1]) declarations.set(declared[1], `${declarations.get(declared[1]) ?? ''}\n${statement}`)
  }
  const comment = /\*\/\n(?:export )?(?:declare )?(?:abstract )?(?:interface|type|function|const|class) (\w+)/g
  const named = [...text.matchAll(comment)].flatMap((match) => match[1] ?? [])
  return { declarations, imports, exports, documented: new Set(named) }
}

/** Without comments and texts, in which any word may stand. */
function statementsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  return code
    .split(/^(?=(?:import|export|declare|interface|type)\b)/m)
    .map((statement) =>
      /^(?:import|export)\b[^;]*\bfrom\b/.test(statement) ? statement : statement.replace(/'[^'\n]*'/g, "''"),
    )
}
