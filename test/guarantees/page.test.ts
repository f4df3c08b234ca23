import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/**
 * Every word of the guarantees is quoted by a test, or stands at the page's end with the reason and the place that holds it
 * instead. So nothing can be promised in passing.
 */
const page = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8')
const listHead = '## Not proved by a test of its own'

const plain = (text: string) => text.replace(/\s+/g, ' ').trim()

interface Guarantee {
  readonly name: string
  readonly text: string
}

/** G1 to G11, each without its title. */
function guaranteesOf(text: string): Guarantee[] {
  const start = text.indexOf('- **G1')
  const part = text.slice(start, text.indexOf('\n## ', start))
  return part.split(/\n(?=- \*\*G)/).map((one) => {
    const [, name = '', rest = ''] = /^- \*\*(G\d+) .*?\*\* (.*)$/.exec(plain(one)) ?? []
    return { name, text: rest }
  })
}

/** What the page's end names, each in double quotes. */
function listedIn(text: string): string[] {
  const at = text.indexOf(listHead)
  const items = at < 0 ? '' : plain(text.slice(at + listHead.length).split('\n## ')[0] ?? '')
  return [...items.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '')
}

/** The texts that the tests beside this one give to `promise`. */
function quotedByTests(): string[] {
  const folder = new URL('.', import.meta.url)
  return readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts') && name !== 'page.test.ts')
    .flatMap((name) => quotesIn(readFileSync(new URL(name, folder), 'utf8')))
}

function quotesIn(source: string): string[] {
  const literal = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g
  return [...source.matchAll(/\bpromise\(\s*(\[[\s\S]*?\],\s|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/g)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(literal)].map(([one]) => one.slice(1, -1).replace(/\\(.)/g, '$1')),
  )
}

/** What is wrong with the page, one sentence each. */
function gapsOf(guarantees: readonly Guarantee[], quoted: readonly string[], listed: readonly string[]): string[] {
  const gaps: string[] = []
  const covered = guarantees.map(({ text }) => [...text].map(() => ''))
  const cover = (fragment: string, by: string) => {
    const found = guarantees.flatMap(({ text }, at) => (text.includes(fragment) ? [{ text, at }] : []))
    const [only] = found
    if (!only || found.length > 1 || only.text.indexOf(fragment) !== only.text.lastIndexOf(fragment)) {
      gaps.push(`"${fragment}" (${by}) stands ${found.length === 0 ? 'nowhere' : 'more than once'} in the guarantees`)
      return
    }
    const start = only.text.indexOf(fragment)
    const marks = covered[only.at] ?? []
    if (marks.slice(start, start + fragment.length).some((mark) => mark !== '' && mark !== by)) {
      gaps.push(`"${fragment}" is listed as not proved, and quoted by a test`)
    }
    marks.fill(by, start, start + fragment.length)
  }
  for (const fragment of new Set(quoted)) cover(fragment, 'quoted')
  for (const fragment of new Set(listed)) cover(fragment, 'listed')
  for (const [at, { name, text }] of guarantees.entries()) {
    const left = [...text].map((letter, index) => (covered[at]?.[index] === '' ? letter : '|')).join('')
    for (const piece of left.split(/\|+/)) {
      if (/[\p{L}\d`]/u.test(piece.replace(/\b(?:and|or)\b/g, '')))
        gaps.push(`${name}: nobody proves "${piece.trim()}"`)
    }
  }
  return gaps
}

describe('docs/guarantees.md', () => {
  const guarantees = guaranteesOf(page)

  it('has eleven guarantees', () => {
    expect(guarantees.map(({ name }) => name)).toEqual(Array.from({ length: 11 }, (_, index) => `G${index + 1}`))
    for (const { text } of guarantees) expect(text).not.toBe('')
  })

  it('promises nothing that is neither quoted by a test nor listed as not proved by one', () => {
    expect(gapsOf(guarantees, quotedByTests(), listedIn(page))).toEqual([])
  })

  it('names for each that is listed where it is held, and that place is there', () => {
    const items = page.slice(page.indexOf(listHead)).split(/\n- /).slice(1).map(plain)
    expect(items.length).toBeGreaterThan(0)
    for (const item of items) {
      const places = [...item.matchAll(/`((?:src|test|simulation|docs)\/[^`]+)`/g)].map((match) => match[1] ?? '')
      expect({ item, held: places.length > 0 || item.includes('not in this version') }).toEqual({ item, held: true })
      for (const place of places) readFileSync(new URL(`../../${place}`, import.meta.url))
    }
  })

  it('is held by a check that can fail', () => {
    const two = [
      { name: 'G1', text: 'Sentences are proved; clauses too, and `codes`.' },
      { name: 'G2', text: 'Others are listed.' },
    ]
    expect(gapsOf(two, ['Sentences are proved', 'clauses too, and `codes`'], ['Others are listed'])).toEqual([])
    expect(gapsOf(two, ['Sentences are proved', 'clauses too'], ['Others are listed'])).toHaveLength(1)
    expect(gapsOf(two, ['Sentences are proved', 'clauses too, and `codes`'], [])).toEqual([
      'G2: nobody proves "Others are listed."',
    ])
    expect(gapsOf(two, ['Sentences are proved', 'clauses too, and `codes`', 'Others'], ['Others are listed'])).toEqual([
      '"Others are listed" is listed as not proved, and quoted by a test',
    ])
    expect(gapsOf(two, ['no such words'], [])[0]).toMatch(/nowhere/)
    expect(gapsOf(two, ['are'], [])[0]).toMatch(/more than once/)
    expect(quotesIn("promise('a', x)\npromise(['b', \"c's\"], x)\npromise(\n  'it\\'s',\n  x)")).toEqual([
      'a',
      'b',
      "c's",
      "it's",
    ])
  })
})
