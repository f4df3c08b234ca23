import type { Goal, Report } from './goals.ts'

/** Where and of what a drill was made. */
export interface Origin {
  readonly node: string
  readonly cores: number
  readonly commit: string
}

/**
 * The page with this drill's figures in the place of those that it had: between `<!-- drill NAME -->` and `<!-- /drill -->`.
 *
 * @throws TypeError where the page has no such place
 */
export function pageWith(page: string, report: Report, goals: readonly Goal[], origin: Origin): string {
  const begin = `<!-- drill ${report.drill} -->`
  const end = '<!-- /drill -->'
  const from = page.indexOf(begin)
  const to = page.indexOf(end, from)
  if (from < 0 || to < 0) throw new TypeError(`The page has no ${begin} and ${end}.`)
  return `${page.slice(0, from)}${begin}\n\n${markdown(report, goals, origin)}\n\n${page.slice(to)}`
}

function markdown(report: Report, goals: readonly Goal[], { node, cores, commit }: Origin): string {
  const rows = goals.map(({ goal, found, met }) => `| ${goal} | ${found} | ${met ? 'met' : '**missed**'} |`)
  const figures = Object.entries(report.figures).map(([name, value]) => `\`${name}\` ${told(value)}`)
  return [
    `Commit ${commit}, ${report.plan.store}, ${report.plan.nodes} ${report.plan.nodes === 1 ? 'node' : 'nodes'}, Node.js ${node}, ${cores} cores, all processes on them:`,
    '',
    '| goal | found | |',
    '|---|---|---|',
    ...rows,
    '',
    `${figures.join(' · ')}`,
  ].join('\n')
}

function told(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, one]) => `${name} ${one}`)
    .join(', ')
}
