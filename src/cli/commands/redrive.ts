import { sleep } from '../../kit/clock.ts'
import { numberIn } from '../args.ts'
import { type Command, clientOf, exitCodes, reasonFlag, serverFlags } from '../command.ts'
import { json } from '../print.ts'

/** How often the progress is asked for. */
const lookEveryMs = 500

/** Runs many dead runs again, or gives unclaimed events to handlers. */
export const redrive: Command = {
  name: 'redrive',
  sentence:
    'Runs many dead runs again from their last checkpoints, or gives unclaimed events to the handlers of today.',
  takes: [],
  flags: [
    reasonFlag,
    { name: 'handler', value: 'NAME', sentence: 'Of this handler.' },
    { name: 'source', value: 'NAME', sentence: 'Of this source.' },
    { name: 'tenant', value: 'NAME', sentence: 'Of this tenant.' },
    { name: 'unclaimed', sentence: 'Events that no handler took, instead of dead runs.' },
    { name: 'rate', value: 'N', sentence: 'Most a second. Default 100.' },
    { name: 'detach', sentence: 'Do not wait for the end.' },
    ...serverFlags,
  ],
  examples: [
    'hapax redrive --handler settle-order --reason "the account exists now"',
    'hapax redrive --unclaimed --source github --reason "handler deployed"',
  ],
  async run(context, given) {
    const { runs } = clientOf(context, given)
    const perSecond = numberIn(given, 'rate')
    const handler = given.text('handler')
    const source = given.text('source')
    const tenant = given.text('tenant')
    const request = {
      ...(handler !== undefined && { handler }),
      ...(source !== undefined && { source }),
      ...(tenant !== undefined && { tenant }),
      ...(given.has('unclaimed') && { unclaimed: true }),
      ...(perSecond !== undefined && { perSecond }),
    }
    let view = await runs.redrive(request, { reason: given.required('reason') })
    while (view.state === 'running' && !given.has('detach')) {
      if (context.tty && !given.has('json'))
        context.err(`\r${view.asked} asked, ${view.applied} applied, ${view.refused} refused`)
      await sleep(context.clock, lookEveryMs)
      view = await runs.redriveStatus(view.id)
    }
    if (context.tty && !given.has('json')) context.err('\r')
    context.out(
      given.has('json')
        ? json(view)
        : `${view.id} ${view.state}: ${view.asked} asked, ${view.applied} applied, ${view.refused} refused\n`,
    )
    return view.state === 'failed' ? exitCodes.failed : exitCodes.ok
  },
}
