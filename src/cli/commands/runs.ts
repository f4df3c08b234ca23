import type { RunView } from '../../engine/api.ts'
import { type RunState, runId } from '../../event/run.ts'
import { runStatuses } from '../../event/run-status.ts'
import { shortTime } from '../../kit/iso-time.ts'
import { nearest } from '../../kit/nearest.ts'
import { numberIn, usage } from '../args.ts'
import { type Command, clientOf, exitCodes, serverFlags } from '../command.ts'
import { facts, json, table } from '../print.ts'
import { timeIn } from '../time-flag.ts'

/** Statuses that a list of settled runs may be asked for. */
const settled = runStatuses.filter((status) => status !== 'ready' && status !== 'running')

/** What became of events: a list, or one run with its steps. */
export const runs: Command = {
  name: 'runs',
  sentence: 'Lists runs, newest settlement first; or shows one with its steps.',
  takes: ['[RUN]'],
  flags: [
    {
      name: 'status',
      value: 'LIST',
      sentence: `Of these statuses, with commas: ${settled.join(', ')}; or running, alone: what the server's process executes.`,
    },
    { name: 'handler', value: 'NAME', sentence: 'Of this handler.' },
    { name: 'source', value: 'NAME', sentence: 'Whose event is of this source.' },
    { name: 'tenant', value: 'NAME', sentence: 'Of this tenant.' },
    { name: 'group', value: 'NAME', sentence: 'Of this group.' },
    { name: 'after', value: 'TIME', sentence: 'Settled after: a time, or a span back from now, like 2h.' },
    { name: 'before', value: 'TIME', sentence: 'Settled before.' },
    { name: 'limit', value: 'N', sentence: 'How many. Default 50.' },
    { name: 'cursor', value: 'TEXT', sentence: 'Goes on where a page ended.' },
    ...serverFlags,
  ],
  examples: ['hapax runs --status dead,unknown', 'hapax runs 01M86Q8F7E000MWXFV13SA7N1Q-8bjsd57n'],
  async run(context, given) {
    const client = clientOf(context, given)
    const [id] = given.positionals
    if (id !== undefined) {
      const run = await client.runs.get(id)
      if (given.has('json')) context.out(json(run))
      else {
        context.out(
          facts([
            ['run', run.id],
            ['handler', run.handler],
            ['status', run.status],
            ['reason', run.held ? `${run.held.reason}: ${run.held.by}` : run.state && whyOf(run.state)],
            ['since', run.state && shortTime(run.state.since)],
            ['attempt', run.state?.attempt],
            ['generation', run.state?.generation],
            ['due', run.state?.dueAt === undefined ? undefined : shortTime(run.state.dueAt)],
            ['see', downOf(run) && `hapax dependencies ${downOf(run)}`],
            ['error', run.state?.error && `${run.state.error.code}: ${run.state.error.message}`],
            ['result', run.state?.result],
            ['progress', run.progress && `${Math.round(run.progress.fraction * 100)} % ${run.progress.note ?? ''}`],
          ]),
        )
        const rows = run.steps.map(({ step, attempt, startedAt, endedAt, value, error }) => [
          step.of === '' ? step.name : `${step.name}/${step.of}`,
          step.kind,
          attempt,
          `${endedAt - startedAt} ms`,
          error ? error.code : value,
        ])
        context.out(`\n${table(['STEP', 'KIND', 'ATTEMPT', 'TOOK', 'RESULT'], rows, 'No steps.')}`)
      }
      return exitCodes.ok
    }
    const limit = numberIn(given, 'limit')
    const after = timeIn(context, given, 'after')
    const before = timeIn(context, given, 'before')
    const statuses = given.text('status')?.split(',').map(statusOf)
    const page = await client.runs.list({
      ...(statuses && { statuses }),
      ...(given.text('handler') !== undefined && { handler: given.required('handler') }),
      ...(given.text('source') !== undefined && { source: given.required('source') }),
      ...(given.text('tenant') !== undefined && { tenant: given.required('tenant') }),
      ...(given.text('group') !== undefined && { group: given.required('group') }),
      ...(after !== undefined && { after }),
      ...(before !== undefined && { before }),
      ...(given.text('cursor') !== undefined && { cursor: given.required('cursor') }),
      ...(limit !== undefined && { limit }),
    })
    if (given.has('json')) context.out(json(page))
    else {
      const rows = page.runs.map(({ run, handler, identity, state }) => [
        shortTime(state.since),
        state.status,
        handler,
        identity.id,
        whyOf(state, 60),
        runId(run),
      ])
      context.out(table(['SINCE (UTC)', 'STATUS', 'HANDLER', 'EVENT ID', 'WHY', 'RUN'], rows, 'No runs.'))
      if (statuses?.includes('parked')) context.err(unbegun)
      if (page.next !== undefined) context.err(`More: --cursor ${page.next}\n`)
    }
    return exitCodes.ok
  },
}

/** An outage's backlog leaves no record for each run that waits. */
const unbegun = 'Runs that had not begun when it went down are not listed: hapax dependencies counts them as waiting.\n'

/** Why a run stands so: of a parked one, for which dependency. */
function whyOf({ reason, error, dependency }: RunState, longest?: number): string | undefined {
  if (reason === 'circuit_open') return `circuit_open: ${dependency}`
  if (longest === undefined || !error) return reason
  return `${error.code}: ${error.message.slice(0, longest)}`
}

/** The dependency that is down under it. */
function downOf({ status, held, state }: RunView): string | undefined {
  if (status !== 'parked') return undefined
  return held?.reason === 'circuit_open' ? held.by : state?.dependency
}

function statusOf(text: string): (typeof runStatuses)[number] {
  const status = runStatuses.find((one) => one === text.trim())
  if (status) return status
  const meant = nearest(text, runStatuses)
  throw usage(
    `"${text}" is no status${meant === undefined ? `: ${runStatuses.join(', ')}` : `; did you mean ${meant}?`}`,
  )
}
