import { cpus } from 'node:os'
import type { Measured } from '../measure.ts'
import { profiled } from './profile.ts'

/** A work that was looked at: by Hapax and by hand, or by Hapax beside itself. */
export interface ProfiledWork {
  readonly work: string
  /** What the other side is. */
  readonly limitName: string
  readonly hapax: Measured
  readonly limit: Measured
}

/** Where the time and the log of each work go, for one event, as a page. */
export function profilePage(works: readonly ProfiledWork[], server: string, commit: string): string {
  const parts = works.map(
    (one) => `## ${one.work}

${table('time of the main thread, µs per event', one, profiled.time)}

${processes(one)}

${table('log of the server, bytes per event', one, profiled.log)}
`,
  )
  return `# Where the time goes on PostgreSQL

Made by \`npm run bench -- --store postgres --long --profile docs/performance-profile.md\`: one run of each work of [the report](performance.md), looked at
through the inspector (a sample each 500 µs) and \`pg_walinspect\`. Commit ${commit}, PostgreSQL ${server}, Node ${process.version}, ${cpus().length} processors. A
profile costs time itself, and a thread that waits for a processor looks busy: what counts are the parts, not the sums. What native code does is its
caller's, but for what no JavaScript called. Each event has a body of 1,024 bytes.

${parts.join('\n')}`
}

function table(title: string, { hapax, limit, limitName }: ProfiledWork, beginning: string): string {
  const [ours, theirs] = [named(hapax, beginning), named(limit, beginning)]
  const names = [...new Set([...ours.keys(), ...theirs.keys()])]
  const rows = names
    .filter((name) => (ours.get(name) ?? 0) + (theirs.get(name) ?? 0) >= least)
    .sort((one, other) => (ours.get(other) ?? 0) - (ours.get(one) ?? 0))
  const sum = (parts: ReadonlyMap<string, number>) => [...parts.values()].reduce((all, one) => all + one, 0)
  const line = (name: string, one: number, other: number) => `| ${name} | ${shown(one)} | ${shown(other)} |`
  return [
    `| ${title} | Hapax | ${limitName} |`,
    '|---|---|---|',
    ...rows.map((name) => line(name, ours.get(name) ?? 0, theirs.get(name) ?? 0)),
    line('**all**', sum(ours), sum(theirs)),
  ].join('\n')
}

function processes({ hapax, limit }: ProfiledWork): string {
  const own = (measured: Measured) => measured[profiled.process] ?? Number.NaN
  const server = (measured: Measured) => (measured.cpuSecondsPer1000 ?? Number.NaN) * 1_000 - own(measured)
  return `Processor time of the process with its threads ${shown(own(hapax))} and ${shown(own(limit))} µs, of the server ${shown(server(hapax))} and ${shown(server(limit))} µs.`
}

/** What is less on both sides is not named. */
const least = 0.5

const shown = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1))

function named(measured: Measured, beginning: string): Map<string, number> {
  const found = Object.entries(measured).filter(([name]) => name.startsWith(beginning))
  return new Map(found.map(([name, value]) => [name.slice(beginning.length), value]))
}
