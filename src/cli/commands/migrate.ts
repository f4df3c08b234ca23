import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../kit/log.ts'
import { openStore } from '../../store/open-store.ts'
import { type Command, exitCodes } from '../command.ts'
import { json } from '../print.ts'

/** Makes or upgrades the store. */
export const migrate: Command = {
  name: 'migrate',
  sentence: 'Makes or upgrades what the store keeps. A SQLite file is also upgraded by whoever opens it to work on it.',
  takes: ['[CONFIG]'],
  flags: [
    { name: 'store', value: 'URL', sentence: 'The store, instead of the configured one.' },
    { name: 'json', sentence: 'JSON for machines.' },
  ],
  examples: ['hapax migrate', 'hapax migrate --store sqlite:hapax.db'],
  async run(context, given) {
    const [file] = given.positionals
    const store = given.text('store')
    const config = await loadConfig({
      ...(file !== undefined && { file }),
      flags: store === undefined ? {} : { store },
      env: context.env,
      cwd: context.cwd,
    })
    const opened = await openStore(config.store, { clock: context.clock, random: context.random, log: silentLog })
    try {
      await opened.migrate()
      const { kind, shards, durability } = opened
      context.out(
        given.has('json')
          ? json({ store: config.store, kind, shards, durability })
          : `${config.store} is ready (${kind}, ${shards} shards, ${durability}).\n`,
      )
    } finally {
      await opened.close()
    }
    return exitCodes.ok
  },
}
