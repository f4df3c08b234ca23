import { shortTime } from '../../kit/iso-time.ts'
import { numberIn } from '../args.ts'
import { type Command, clientOf, exitCodes, serverFlags } from '../command.ts'
import { json, table } from '../print.ts'
import { timeIn } from '../time-flag.ts'

/** What came. */
export const events: Command = {
  name: 'events',
  sentence: 'Lists events, newest first.',
  takes: [],
  flags: [
    { name: 'source', value: 'NAME', sentence: 'Of this source.' },
    { name: 'type', value: 'TYPE', sentence: 'Of this type.' },
    { name: 'id', value: 'ID', sentence: "With this sender's id." },
    { name: 'prefix', value: 'TEXT', sentence: 'Whose id begins so.' },
    { name: 'tenant', value: 'NAME', sentence: 'Of this tenant.' },
    { name: 'unclaimed', sentence: 'That no handler took.' },
    { name: 'after', value: 'TIME', sentence: 'Accepted after: a time, or a span back from now, like 2h.' },
    { name: 'before', value: 'TIME', sentence: 'Accepted before.' },
    { name: 'limit', value: 'N', sentence: 'How many. Default 50.' },
    { name: 'cursor', value: 'TEXT', sentence: 'Goes on where a page ended.' },
    ...serverFlags,
  ],
  examples: ['hapax events --source stripe --after 1h', 'hapax events --unclaimed --json'],
  async run(context, given) {
    const limit = numberIn(given, 'limit')
    const after = timeIn(context, given, 'after')
    const before = timeIn(context, given, 'before')
    const page = await clientOf(context, given).events.list({
      ...named(given.text('source'), 'source'),
      ...named(given.text('type'), 'type'),
      ...named(given.text('id'), 'id'),
      ...named(given.text('prefix'), 'idPrefix'),
      ...named(given.text('tenant'), 'tenant'),
      ...named(given.text('cursor'), 'cursor'),
      ...(given.has('unclaimed') && { unclaimed: true }),
      ...(after !== undefined && { after }),
      ...(before !== undefined && { before }),
      ...(limit !== undefined && { limit }),
    })
    if (given.has('json')) context.out(json(page))
    else {
      const rows = page.events.map((event) => [
        shortTime(event.acceptedAt),
        event.source,
        event.type,
        event.id,
        event.key,
        [event.duplicates ? `${event.duplicates} duplicate` : '', event.conflicts ? `${event.conflicts} CONFLICT` : '']
          .filter(Boolean)
          .join(', '),
      ])
      context.out(table(['ACCEPTED (UTC)', 'SOURCE', 'TYPE', 'ID', 'KEY', 'RESENT'], rows, 'No events.'))
      if (page.next !== undefined) context.err(`More: --cursor ${page.next}\n`)
    }
    return exitCodes.ok
  },
}

function named<Name extends string>(value: string | undefined, name: Name): { [Key in Name]?: string } {
  // One property of the name that was given, or none: what an optional member of a query is.
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]: string })
}
