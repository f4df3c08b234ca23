import { shortTime } from '../../kit/iso-time.ts'
import { type Command, clientOf, exitCodes, serverFlags } from '../command.ts'
import { json, table } from '../print.ts'

/** What ticks when. */
export const schedules: Command = {
  name: 'schedules',
  sentence: "Lists the server's schedules, with their next tick and the last that came.",
  takes: [],
  flags: serverFlags,
  examples: ['hapax schedules', 'hapax pause handler nightly --reason "stock-taking"'],
  async run(context, given) {
    const listed = await clientOf(context, given).schedules()
    if (given.has('json')) context.out(json({ schedules: listed }))
    else {
      const rows = listed.map(({ name, cron, timezone, missed, nextAt, last, paused }) => [
        name,
        cron,
        timezone,
        missed,
        nextAt === undefined ? '' : shortTime(nextAt),
        last === undefined ? '' : shortTime(last.at),
        last?.event,
        paused && 'PAUSED',
      ])
      const headings = ['SCHEDULE', 'CRON', 'TIME ZONE', 'MISSED', 'NEXT (UTC)', 'LAST (UTC)', 'EVENT', '']
      context.out(table(headings, rows, 'No schedules.'))
    }
    return exitCodes.ok
  },
}
