import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { options } from '../../src/config/schema.ts'
import { HapaxError } from '../../src/errors/hapax-error.ts'
import { isEventKey, mintEventKey, mintedAt, shardOfKey } from '../../src/event/event-key.ts'
import { parseRunId, runId } from '../../src/event/run.ts'
import { type Duration, formatDuration, toMs } from '../../src/kit/duration.ts'
import { parseForm } from '../../src/kit/form.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { isRfc3339 } from '../../src/kit/rfc3339.ts'
import { cases, seed } from './fuzz-run.ts'

/** The error of a call that fails with a code; undefined where it gives a value. */
async function errorOf(body: () => unknown): Promise<HapaxError | undefined> {
  try {
    await body()
    return undefined
  } catch (error) {
    if (error instanceof HapaxError) return error
    throw error
  }
}

describe(`durations (seed ${seed})`, () => {
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

  it('are a number with its unit', () => {
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
        (count, unit) => {
          expect(toMs(`${count}${unit}`)).toBe(count * units[unit])
          expect(toMs(formatDuration(count * units[unit]) as Duration)).toBe(count * units[unit])
        },
      ),
      cases(500),
    )
  })

  it('are nothing else: whatever is given is a finite span, or refused with its code', async () => {
    const near = fc
      .tuple(
        fc.constantFrom('', ' ', '-', '+', '1', '1e3', '.5', '1.', '0x1', '٣', '9'.repeat(400)),
        fc.constantFrom('ms', 's', 'S', 'sec', 'min', '', ' s', 's '),
      )
      .map((parts) => parts.join(''))
    const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true, withMap: true })
    await fc.assert(
      fc.asyncProperty(fc.oneof(near, fc.string(), fc.double(), anything), async (given) => {
        // What JavaScript callers may pass, whatever the type says.
        const error = await errorOf(() => {
          const ms = toMs(given as Duration)
          expect(Number.isFinite(ms) && ms >= 0).toBe(true)
          expect(['string', 'number']).toContain(typeof given)
        })
        if (error) expect(error.code).toBe('duration_invalid')
      }),
      cases(1_000),
    )
  })
})

describe(`event keys and run ids (seed ${seed})`, () => {
  const random = seededRandom(seed)

  it('say their time and shard, and sort by time', () => {
    const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
    fc.assert(
      fc.property(time, time, fc.nat(65_535), (one, other, shard) => {
        const key = mintEventKey(one, shard, random)
        expect([isEventKey(key), mintedAt(key), shardOfKey(key)]).toEqual([true, one, shard])
        expect(parseRunId(runId({ event: key, tag: '0123456a' }))).toEqual({ event: key, tag: '0123456a' })
        if (one < other) expect(key < mintEventKey(other, shard, random)).toBe(true)
      }),
      cases(500),
    )
  })

  it('are refused with not_found where a character is another', async () => {
    const id = runId({ event: mintEventKey(1_700_000_000_000, 3, random), tag: '0123456a' })
    await fc.assert(
      fc.asyncProperty(fc.nat(id.length - 1), fc.string({ unit: 'binary', maxLength: 3 }), async (at, instead) => {
        const text = id.slice(0, at) + instead + id.slice(at + 1)
        const error = await errorOf(() => expect(runId(parseRunId(text))).toBe(text))
        if (error) expect(error.code).toBe('not_found')
      }),
      cases(500),
    )
  })
})

describe(`forms and times (seed ${seed})`, () => {
  it('reads a form as URLSearchParams does, and refuses what that guesses', async () => {
    const form = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(form, async (fields) => {
        const text = new URLSearchParams(fields).toString()
        const names = new Set(fields.map(([name]) => name))
        const error = await errorOf(() => {
          const read = parseForm(Buffer.from(text))
          expect(new Map(Object.entries(read))).toEqual(new Map([...new URLSearchParams(text)]))
        })
        expect(error?.code).toBe(names.size < fields.length ? 'duplicate_key' : undefined)
      }),
      cases(500),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', '=', '&', '%', '+', '%4', '%41', '%ff', 'é', '\u0000')),
        async (parts) => {
          const error = await errorOf(() => parseForm(Buffer.from(parts.join(''))))
          if (error) expect(['duplicate_key', 'invalid_event', 'invalid_utf8']).toContain(error.code)
        },
      ),
      cases(500),
    )
  })

  it('takes what a Date writes as RFC 3339, and never what Date cannot read', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(isRfc3339(date.toISOString())).toBe(true)
        },
      ),
      cases(300),
    )
    const part = fc.constantFrom(
      '2026',
      '-',
      '01',
      '13',
      '31',
      'T',
      't',
      ' ',
      '00',
      '24',
      ':',
      '60',
      '.',
      '5',
      'Z',
      '+',
      '',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
        const text = parts.join('')
        if (isRfc3339(text)) expect(Date.parse(text.toUpperCase())).not.toBeNaN()
      }),
      cases(1_000),
    )
  })
})

describe(`configuration (seed ${seed})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-fuzz-config-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const secret = 'canary-of-a-secret'

  const value = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '1',
      '10s',
      '3d',
      '-1',
      '1e3',
      'info',
      'memory:',
      'NaN',
      ' 5 ',
      '65536',
      '99999999999999999999',
    ),
    fc.string(),
  )

  it('by flags and environment is whole, or refused with every mistake and no secret', async () => {
    const flags = fc.dictionary(fc.constantFrom(...options.filter((one) => !one.secret).map(({ path }) => path)), value)
    const env = fc.dictionary(fc.constantFrom(...options.filter((one) => !one.secret).map(({ env }) => env)), value)
    await fc.assert(
      fc.asyncProperty(flags, env, async (flags, env) => {
        const error = await errorOf(async () => {
          const config = await loadConfig({ flags, env: { ...env, HAPAX_KEY: secret }, cwd: folder })
          for (const [name, found] of Object.entries(config)) {
            if (typeof found === 'number')
              expect({ name, ok: Number.isFinite(found) && found >= 0 }).toEqual({ name, ok: true })
          }
        })
        if (!error) return
        expect(error.code).toBe('config_invalid')
        expect(error.message).not.toContain(secret)
      }),
      cases(300),
    )
  })

  it('by a file is whole, or refused: whatever its module exports', async () => {
    const literal = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }).map((one) => JSON.stringify(one)),
      fc.constantFrom(
        '5n',
        'NaN',
        'undefined',
        '() => 1',
        'Symbol()',
        'new Map()',
        'Object.create(null)',
        '[,]',
        '[null]',
      ),
      fc.constantFrom(
        "'10s'",
        "'1h'",
        '1000',
        '[]',
        '{ port: 0 }',
        '{ port: 5n }',
        "{ level: 'loud' }",
        '{ payloads: 5n }',
      ),
      fc.constantFrom('{ get port() { return 1 } }', '(() => { const ring = {}; ring.ring = ring; return ring })()'),
    )
    const names = [...new Set([...options.map(({ path }) => path.split('.')[0] ?? ''), 'sources', 'handlers', 'stor'])]
    const written = fc.dictionary(fc.constantFrom(...names), literal, { maxKeys: 4 })
    let files = 0
    await fc.assert(
      fc.asyncProperty(written, async (members) => {
        const file = join(folder, `hapax-${files++}.config.mjs`)
        const text = Object.entries(members).map(([name, one]) => `${name}: ${one}`)
        writeFileSync(file, `export default { ${[`key: '${secret}'`, ...text].join(', ')} }\n`)
        const error = await errorOf(() => loadConfig({ file, env: {}, flags: {} }))
        if (!error) return
        expect(error.code).toBe('config_invalid')
        expect(error.message).not.toContain(secret)
      }),
      cases(150),
    )
  })
})
