import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { BenchServer } from '../bench/postgres/server.ts'
import { goalsOf, type Report, table } from './goals.ts'
import { outage } from './outage.ts'
import { outagePlot } from './outage-plot.ts'
import { pageWith } from './page.ts'
import { parking } from './parking.ts'
import { sharedRate } from './shared-rate.ts'

const help = `npm run drill:outage -- [options]     a service is down, and comes back at half its strength
npm run drill:rate -- [options]       a rate of 100/s that nodes share
npm run drill:parking -- [options]    runs that wait for a service that is down

  --store URL      sqlite:FILE, postgres://…, or memory: (one node). postgres: a server of its own. Default: a file of its own
  --nodes N        processes (2; rate: 4; parking: 1)
  --seconds N      for how long it is down (60; rate: how long it is used); all other spans go by it
  --runs N         parking: how many (100,000)
  --down HOW       503 (default) or refused
  --json FILE      writes the figures there
  --page FILE      puts the figures into their place on that page
  --plot FILE      outage: draws calls, backlog and circuit there, as SVG

Ends with 1 where a goal is missed.
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string', default: 'sqlite' },
    nodes: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    runs: { type: 'string', default: '100000' },
    down: { type: 'string', default: '503' },
    json: { type: 'string' },
    page: { type: 'string' },
    plot: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const progress = (text: string) => console.error(`… ${text}`)
const [what = ''] = positionals

const problems = optionProblems()
if (values.help || !['outage', 'rate', 'parking'].includes(what)) console.log(help)
else if (problems.length > 0) {
  console.error(`${problems.join('\n')}\n\n${help}`)
  process.exitCode = 2
} else process.exitCode = await onStore(values.store, run)

/** What a run cannot be made of. */
function optionProblems(): string[] {
  const counts = { nodes: values.nodes ?? '1', seconds: values.seconds, runs: values.runs }
  const stores = /^(sqlite|postgres|memory:?|sqlite:.+|postgres(ql)?:\/\/.+)$/
  const nodes = Number(values.nodes ?? (what === 'parking' ? 1 : 2))
  return [
    ...Object.entries(counts)
      .filter(([, value]) => !/^[1-9]\d*$/.test(value))
      .map(([name, value]) => `--${name}: wanted a whole number from 1 on, found ${value}`),
    ...(['503', 'refused'].includes(values.down) ? [] : [`--down: wanted 503 or refused, found ${values.down}`]),
    ...(stores.test(values.store) ? [] : [`--store: wanted one of those below, found ${values.store}`]),
    ...(values.store.startsWith('memory') && nodes > 1
      ? [`--store memory: wanted --nodes 1, since each process has a memory of its own, found ${nodes}`]
      : []),
  ]
}

async function run(store: string): Promise<number> {
  const report = await measured(store)
  const goals = goalsOf(report)
  console.log(table(report, goals))
  const { figures, plan, drill } = report
  const origin = { node: process.version, cores: cpus().length, commit: commitName() }
  const record = { drill, ...figures, plan, goals, ...origin }
  if (values.json) write(values.json, `${JSON.stringify(record, undefined, 2)}\n`)
  if (values.page) write(values.page, pageWith(readFileSync(values.page, 'utf8'), report, goals, origin))
  return goals.every(({ met }) => met) ? 0 : 1
}

async function measured(store: string): Promise<Report> {
  const seconds = Number(values.seconds)
  // A short drill is no use with beats that are a good part of it.
  const beatMs = seconds < 30 ? 500 : 2_000
  const name = storeName(store)
  if (what === 'rate') {
    const plan = { nodes: Number(values.nodes ?? 4), seconds, rate: 100, beatMs }
    return { drill: 'rate', plan: { ...plan, store: name }, figures: await sharedRate({ ...plan, store }, progress) }
  }
  if (what === 'parking') {
    const plan = { nodes: Number(values.nodes ?? 1), runs: Number(values.runs), beatMs }
    return { drill: 'parking', plan: { ...plan, store: name }, figures: await parking({ ...plan, store }, progress) }
  }
  const plan = {
    store,
    nodes: Number(values.nodes ?? 2),
    seconds,
    down: values.down === 'refused' ? ('refused' as const) : ('503' as const),
    arrivingRate: 500,
    declaredRate: 2_000,
    allowedRate: 1_000,
    cooldownMs: Math.max(500, (seconds * 1_000) / 12),
    beatMs,
  }
  const { seen, figures } = await outage(plan, progress)
  if (values.plot) write(values.plot, outagePlot(seen, plan))
  if (seen.judged.examples.length > 0) console.error(seen.judged.examples.join('\n'))
  return { drill: 'outage', plan: { ...plan, store: name }, figures }
}

/** Calls `work` with the URL of a store that is there. */
async function onStore(url: string, work: (url: string) => Promise<number>): Promise<number> {
  if (url === 'postgres') {
    const server = await BenchServer.start(false)
    process.once('SIGINT', () => void server.stop().finally(() => process.exit(130)))
    try {
      return await server.withDatabase(false, work)
    } finally {
      await server.stop()
    }
  }
  if (url !== 'sqlite') return work(url)
  const folder = mkdtempSync(join(tmpdir(), 'hapax-drill-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return work(`sqlite:${join(folder, 'drill.db')}`)
}

function storeName(url: string): string {
  if (url.startsWith('sqlite')) return 'SQLite'
  return url.startsWith('postgres') ? 'PostgreSQL' : 'memory'
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

function commitName(): string {
  return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).trim()
}
