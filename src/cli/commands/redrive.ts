import type { HapaxClient } from '../../client/http-client.ts'
import type { RedriveView } from '../../engine/api.ts'
import { sleep } from '../../kit/clock.ts'
import { type Given, numberIn, usage } from '../args.ts'
import { type Command, type Context, clientOf, exitCodes, serverFlags } from '../command.ts'
import { facts, json } from '../print.ts'
import { timeIn } from '../time-flag.ts'

/** How often the progress is asked for. */
const lookEveryMs = 500

/** Runs many dead runs again, or gives unclaimed events to handlers. */
export const redrive: Command = {
  name: 'redrive',
  sentence:
    'Runs many dead runs again from their last checkpoints, or gives unclaimed events to the handlers of today; shows how far one is, or stops it.',
  takes: ['[status|stop]', '[ID]'],
  flags: [
    { name: 'reason', value: 'TEXT', sentence: 'Why; kept with what it changes. Required to begin.' },
    { name: 'handler', value: 'NAME', sentence: 'Of this handler.' },
    { name: 'source', value: 'NAME', sentence: 'Of this source.' },
    { name: 'tenant', value: 'NAME', sentence: 'Of this tenant.' },
    {
      name: 'after',
      value: 'TIME',
      sentence: 'Whose event was accepted after: a time, or a span back from now, like 2h.',
    },
    { name: 'before', value: 'TIME', sentence: 'Whose event was accepted before.' },
    { name: 'unclaimed', sentence: 'Events that no handler took, instead of dead runs.' },
    { name: 'rate', value: 'N', sentence: 'Most a second. Default 100.' },
    { name: 'detach', sentence: 'Do not wait for the end.' },
    ...serverFlags,
  ],
  examples: [
    'hapax redrive --handler settle-order --after 2h --reason "the account exists now"',
    'hapax redrive --unclaimed --source github --reason "handler deployed"',
    'hapax redrive stop rdv_01M86Q8F7E000MWXFV13SA7N1Q',
  ],
  async run(context, given) {
    const { runs } = clientOf(context, given)
    const [what, id] = given.positionals
    if (what === undefined) return begun(context, given, runs)
    if ((what !== 'status' && what !== 'stop') || id === undefined)
      throw usage('redrive takes nothing, or "status" or "stop" and the id of a redrive')
    return told(context, given, await (what === 'stop' ? runs.stopRedrive(id) : runs.redriveStatus(id)))
  },
}

async function begun(context: Context, given: Given, runs: HapaxClient['runs']): Promise<number> {
  const perSecond = numberIn(given, 'rate')
  const handler = given.text('handler')
  const source = given.text('source')
  const tenant = given.text('tenant')
  const after = timeIn(context, given, 'after')
  const before = timeIn(context, given, 'before')
  const request = {
    ...(handler !== undefined && { handler }),
    ...(source !== undefined && { source }),
    ...(tenant !== undefined && { tenant }),
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
    ...(given.has('unclaimed') && { unclaimed: true }),
    ...(perSecond !== undefined && { perSecond }),
  }
  const isWatched = context.tty && !given.has('json')
  let view = await runs.redrive(request, { reason: given.required('reason') })
  while (view.state === 'running' && !given.has('detach')) {
    if (isWatched) context.err(`\r${line(view)}`)
    await sleep(context.clock, lookEveryMs)
    view = await runs.redriveStatus(view.id)
  }
  if (isWatched) context.err('\r')
  return told(context, given, view)
}

/** What became of it; the exit code says it to scripts. */
function told(context: Context, given: Given, view: RedriveView): number {
  if (given.has('json')) context.out(json(view))
  else {
    context.out(`${line(view)}\n`)
    const { error } = view
    const where = error?.run === undefined ? '' : ` (${error.run})`
    const rows: [string, unknown][] = [
      ...Object.entries(view.refusals).map(([reason, many]): [string, unknown] => [`refused: ${reason}`, many]),
      ['to the back of their order key', view.toTheBack || undefined],
      ['error', error && `${error.code}: ${error.message}${where}`],
    ]
    context.out(facts(rows))
  }
  const isRefused = view.refused > 0 && view.applied === 0
  if (view.state === 'failed' || view.failed > 0 || isRefused) return exitCodes.failed
  return view.pending > 0 ? exitCodes.pending : exitCodes.ok
}

function line({ id, state, asked, applied, refused, pending, failed }: RedriveView): string {
  const counts = [`${asked} asked`, `${applied} applied`, `${refused} refused`]
  if (pending > 0) counts.push(`${pending} not answered yet`)
  if (failed > 0) counts.push(`${failed} failed`)
  return `${id} ${state}: ${counts.join(', ')}`
}
