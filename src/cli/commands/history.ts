import { parseRunId } from '../../event/run.ts'
import { shortTime } from '../../kit/iso-time.ts'
import type { HistoryEntry } from '../../store/store.ts'
import { type Command, clientOf, exitCodes, serverFlags } from '../command.ts'
import { json, table } from '../print.ts'

/** Everything that happened to an event. */
export const history: Command = {
  name: 'history',
  sentence: 'Shows everything that happened to an event, in commit order.',
  takes: ['EVENT'],
  flags: serverFlags,
  examples: ['hapax history 01M86Q8F7E000MWXFV13SA7N1Q'],
  async run(context, given) {
    const { events } = clientOf(context, given)
    const key = given.positionals[0] ?? ''
    const entries = await events.history(key)
    if (given.has('json')) context.out(json(entries))
    else {
      const { runs } = await events.get(key)
      const names = new Map(runs.map(({ id, handler }) => [parseRunId(id).tag, handler]))
      const rows = entries.map((entry) => [shortTime(entry.at), entry.kind, ...told(entry, names)])
      context.out(table(['AT (UTC)', 'WHAT', 'BY', 'TELLS'], rows, 'No history.'))
    }
    return exitCodes.ok
  },
}

/** By what hand, and what it says. */
function told(entry: HistoryEntry, names: ReadonlyMap<string, string>): [string, string] {
  switch (entry.kind) {
    case 'accepted':
      return ['sender', '']
    case 'duplicate':
    case 'conflict':
      return ['sender', entry.reason ?? '']
    case 'begin':
      return [
        names.get(entry.tag) ?? entry.tag,
        `attempt ${entry.attempt}${entry.step ? `, ${entry.step.kind} ${entry.step.name}` : ''}`,
      ]
    case 'checkpoint':
      return [
        names.get(entry.tag) ?? entry.tag,
        `${entry.step.kind} ${entry.step.name}${entry.step.of === '' ? '' : `/${entry.step.of}`}, attempt ${entry.attempt}`,
      ]
    case 'settled': {
      const why = entry.state.error
        ? `${entry.state.error.code}: ${entry.state.error.message.slice(0, 80)}`
        : (entry.state.reason ?? '')
      return [entry.handler, `${entry.state.status}${why === '' ? '' : ` (${why})`}`]
    }
    case 'intervention': {
      const answer = entry.answer
        ? ` → ${entry.answer.outcome}${entry.answer.reason === undefined ? '' : `: ${entry.answer.reason}`}`
        : ''
      return [
        entry.actor,
        `${entry.verb}${entry.name === undefined ? '' : ` ${entry.name}`}${entry.reason === undefined ? '' : ` "${entry.reason}"`}${answer}`,
      ]
    }
  }
}
