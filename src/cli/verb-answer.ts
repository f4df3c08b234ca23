import type { VerbAnswer } from '../engine/api.ts'
import type { Given } from './args.ts'
import { type Context, exitCodes } from './command.ts'
import { json } from './print.ts'

/** Says what became of a verb; the exit code says it to scripts. */
export function answered(context: Context, given: Given, answer: VerbAnswer): number {
  if (given.has('json')) context.out(json(answer))
  else if (answer.outcome === 'applied')
    context.out(`applied to ${answer.run}${answer.note ? '; it goes behind the others of its order key' : ''}\n`)
  else if (answer.outcome === 'pending')
    context.out(`asked; the owner of ${answer.run} has not answered yet: look at it again\n`)
  else context.err(`refused for ${answer.run}: ${answer.reason}\n`)
  return { applied: exitCodes.ok, refused: exitCodes.failed, pending: exitCodes.pending }[answer.outcome]
}
