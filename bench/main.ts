import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pairs } from './pairs.ts'
import { type BenchRecord, page, recordsOf, table } from './report.ts'
import { rows } from './rows.ts'

const help = `npm run bench -- [options]

  --only NAME     rows whose name holds this; again for more
  --pairs N       pairs of each row (7)
  --smoke         a hundredth of the work, one pair, a minute: shows that all runs, says nothing of speed
  --json FILE     writes the records there, and the page beside it
  --folder PATH   where the files go: the disk that is measured (the system's temporary folder)
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    pairs: { type: 'string', default: '7' },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(help)
else run()

function run(): void {
  const { only, smoke, json } = values
  const wanted = rows.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)))
  if (wanted.length === 0) {
    console.error(`No row is named so. There are: ${rows.map(({ name }) => name).join(', ')}.`)
    process.exitCode = 2
    return
  }
  const folder = mkdtempSync(join(values.folder, 'hapax-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const progress = (text: string) => console.error(`… ${text}`)
  const pairs = new Pairs({ folder, pairs: smoke ? 1 : Number(values.pairs), smoke, progress })
  const records: BenchRecord[] = []
  for (const row of wanted) {
    const found = recordsOf(row, pairs.run(row))
    records.push(...found)
    for (const { work, ratioToLimit, range } of found) progress(`${work}: ${ratioToLimit} (${range.join(' – ')})`)
  }
  console.log(table(records))
  if (records.some(({ hapax, limit }) => !Number.isFinite(hapax) || !Number.isFinite(limit))) process.exitCode = 1
  if (json) {
    writeFileSync(json, `${JSON.stringify(records, undefined, 2)}\n`)
    writeFileSync(join(dirname(json), 'performance.md'), page(records, commitName()))
  }
}

function commitName(): string {
  return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).trim()
}
