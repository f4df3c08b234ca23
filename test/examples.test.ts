import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hapax-examples-'))

/** Each ends by itself in five seconds or less; what lives on after this hangs. */
const longestMs = 30_000

/** Lines of their output, in this order; others may lie between. */
const expected: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'library.ts': ['accepted local-fsync', 'duplicate', 'conflict', /^\{ order: 'order-\d+', captured: true \}$/],
  'saga.ts': [
    'flight booked',
    'hotel booked',
    'hotel H-12 cancelled',
    'flight F-7 cancelled',
    /^HapaxError: The run ended as dead: no car is left/,
    'dead: undone; Fatal: no car is left',
    'step flight, step hotel, undo hotel, undo flight',
  ],
  'doubt.ts': [
    'confirm: was it charged? yes',
    'careful: { charge: 1 }',
    'charges: 1',
    'blunt: unknown, until a person has looked',
    'resolve: applied',
    'blunt: { charge: 2 }',
    'charges: 2',
  ],
  'signals.ts': [
    'attempt 1',
    'attempt 2',
    'waiting for approved',
    'after a restart: waiting',
    "{ approval: { by: 'the risk desk' }, note: 'no note came' }",
  ],
  'mounted.ts': [
    'sent: 202 accepted',
    'sent again: 200 duplicate',
    'other total, same id: 409 conflict',
    'bad signature: 401 signature_invalid',
    'by hapax.fetch: 200 duplicate',
    'a page of your own',
    'seen order.paid order-1',
  ],
  'stripe-sdk.ts': [
    "pm_plain: { charged: 'pi_1' } tries: 1, failures: 0",
    "pm_lost: { charged: 'pi_2' } tries: 3, failures: 1",
    "pm_busy: { charged: 'pi_3' } tries: 2, failures: 0",
    "pm_declined: { declined: 'card_declined' } tries: 1, failures: 0",
    'charged in all: 3',
  ],
  'slow-api.ts': [
    /^by-hand: 40 orders by \d{3} calls: 40 rates, 40 charges, refused \d+, failed \d+$/,
    /^by-dependency: 40 orders by \d\d calls: 1 rates, 40 charges, refused \d, failed \d+$/,
    /^saved by the rate: [1-9]\d* calls that were refused$/,
    /^saved by the circuit: [1-9]\d* calls to a service that is down$/,
    'saved by the cache: 39 calls for what was known',
  ],
  'burst.ts': [
    'each: 1000 calls for 1000 updates',
    /^latest: \d{1,3} calls, [1-9]\d* runs were overtaken$/,
    /^gathered: \d{1,3} calls$/,
    /^saved by latest: [1-9]\d* calls; 50 of 50 items are right$/,
    /^saved by gathered: 9\d\d calls; 50 of 50 items are right$/,
  ],
  'schedules.ts': ['tick 1 of each-second', 'tick 2 of each-second', '* * * * * * UTC missed: skip', 'each time once'],
  'transactional.ts': [
    'order-1 is booking 1',
    'order-2: pending, commit',
    'order-2 is booking 2',
    'order-2: exists, commit',
    'order-3: pending, rollback',
    "[ 'order-1', 'order-2' ] 1",
  ],
}

/** The first example of the README's library section. */
const fromReadme =
  /## The library\n+```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? ''

/** `node FILE`: how it ends, what it printed, and what it leaves in its folder for temporary files. */
async function run(file: string, cwd: string) {
  const temporary = mkdtempSync(join(folder, 'tmp-'))
  const child = spawn(process.execPath, [file], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: '1' },
    timeout: longestMs,
    killSignal: 'SIGKILL',
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, text, left: readdirSync(temporary) }
}

/** The expected lines that were not found, each looked for behind the one before. */
function missing(text: string, lines: readonly (string | RegExp)[]): (string | RegExp)[] {
  const printed = text.split('\n')
  return lines.filter((line) => {
    const at = printed.findIndex((one) => (typeof line === 'string' ? one === line : line.test(one)))
    if (at >= 0) printed.splice(0, at + 1)
    return at < 0
  })
}

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the examples', () => {
  it('are all held here', () => {
    const names = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'))
    expect(names.sort()).toEqual(Object.keys(expected).sort())
  })

  for (const [name, lines] of Object.entries(expected)) {
    it(`${name} runs, ends, prints what it says, and leaves nothing behind`, async () => {
      const { code, text, left } = await run(join('examples', name), root)
      expect(code, text).toBe(0)
      expect(missing(text, lines), text).toEqual([])
      expect(left).toEqual([])
    })
  }
})

describe('the README', () => {
  it("has a library example that prints what its comments say, on the package's source door", async () => {
    expect(fromReadme).toContain("from 'hapax'")
    const door = new URL('../src/index.ts', import.meta.url).href
    const file = join(folder, 'readme.mts')
    writeFileSync(file, fromReadme.replace("'hapax'", `'${door}'`))
    const { code, text } = await run(file, folder)
    expect(code, text).toBe(0)
    expect(missing(text, expected['library.ts'] ?? []), text).toEqual([])
  })

  it('has the code of examples/library.ts, but for where the door and the file are', () => {
    const example = readFileSync(join(root, 'examples/library.ts'), 'utf8')
    const statements = (code: string) =>
      code
        .split('\n')
        .map((line) => line.replace(/\s*\/\/.*$/, ''))
        .filter((line) => line !== '' && !/^\/\*\*|^import |^using /.test(line))
    const placed = fromReadme.replace("'sqlite:example.db'", `\`sqlite:\${folder.path}/example.db\``)
    expect(statements(example)).toEqual(statements(placed))
  })

  it('knows a line that was not printed', () => {
    expect(missing('one\ntwo\n', ['one', /^tw/])).toEqual([])
    expect(missing('two\none\n', ['one', 'two'])).toEqual(['two'])
  })
})
