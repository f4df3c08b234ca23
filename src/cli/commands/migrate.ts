import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../kit/log.ts'
import { grantServing, openStore, planMigration } from '../../store/open-store.ts'
import { shownUrl } from '../../store/store-url.ts'
import { type Command, exitCodes } from '../command.ts'
import { json } from '../print.ts'

/** Makes or upgrades the store. */
export const migrate: Command = {
  name: 'migrate',
  sentence: 'Makes or upgrades what the store keeps. A SQLite file is also upgraded by whoever opens it to work on it.',
  takes: ['[CONFIG]'],
  flags: [
    { name: 'store', value: 'URL', sentence: 'The store, instead of the configured one.' },
    {
      name: 'role',
      value: 'NAME',
      sentence: 'Also grants this role of a PostgreSQL server what it needs to serve, after later migrations too.',
    },
    { name: 'plan', sentence: 'Shows the SQL that would be run, and runs none of it.' },
    { name: 'json', sentence: 'JSON for machines.' },
  ],
  examples: ['hapax migrate', 'hapax migrate --role app', 'hapax migrate --store postgres://localhost/app --plan'],
  async run(context, given) {
    const [file] = given.positionals
    const store = given.text('store')
    const config = await loadConfig({
      ...(file !== undefined && { file }),
      flags: store === undefined ? {} : { store },
      env: context.env,
      cwd: context.cwd,
    })
    const { clock, random } = context
    const role = given.text('role')
    const options = { clock, random, log: silentLog, migrate: 'auto' } as const
    if (given.has('plan')) {
      const plan = await planMigration(config.store, options, role)
      context.out(given.has('json') ? json({ plan }) : plan.map((statement) => `${statement};\n`).join('\n'))
      return exitCodes.ok
    }
    const opened = await openStore(config.store, options)
    try {
      await opened.migrate()
      if (role !== undefined) await grantServing(config.store, options, role)
      const { kind, shards, durability } = opened
      context.out(
        given.has('json')
          ? json({ store: shownUrl(config.store), kind, shards, durability, ...(role !== undefined && { role }) })
          : `${shownUrl(config.store)} is ready (${kind}, ${shards} shards, ${durability}).\n${role === undefined ? '' : `Role ${role} may serve.\n`}`,
      )
    } finally {
      await opened.close()
    }
    return exitCodes.ok
  },
}
