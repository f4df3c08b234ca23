import { loadConfig } from '../../config/load.ts'
import { createHapax } from '../../hapax.ts'
import { isoTime } from '../../kit/iso-time.ts'
import { lineLog } from '../../kit/log.ts'
import { listen } from '../../server/server.ts'
import { type Command, exitCodes, type Flag } from '../command.ts'

/** Of `serve` and `dev`: each is an option of the configuration too. */
export const serveFlags: readonly Flag[] = [
  { name: 'port', value: 'N', sentence: 'The port to listen on; 0 takes a free one. Default 4400.' },
  { name: 'host', value: 'ADDRESS', sentence: 'The address to listen on. Default 127.0.0.1.' },
  { name: 'store', value: 'URL', sentence: 'Where events are kept, like sqlite:hapax.db.' },
  { name: 'no-workers', sentence: 'Accept and answer only; other processes on the same store run the handlers.' },
  { name: 'no-server', sentence: 'Run handlers only; listen to nothing.' },
]

/** The server: ingress, workers, API. */
export const serve: Command = {
  name: 'serve',
  sentence: 'Serves a configuration: webhook ingress, workers, API. SIGTERM stops it gracefully.',
  takes: ['[CONFIG]'],
  flags: serveFlags,
  examples: ['hapax serve hapax.config.ts', 'hapax serve --port 0 --store memory:'],
  async run(context, given) {
    const [file] = given.positionals
    const flags: Record<string, string> = {}
    for (const [flag, path] of [
      ['port', 'server.port'],
      ['host', 'server.host'],
      ['store', 'store'],
    ] as const) {
      const value = given.text(flag)
      if (value !== undefined) flags[path] = value
    }
    const config = await loadConfig({ ...(file !== undefined && { file }), flags, env: context.env, cwd: context.cwd })
    const log = lineLog({
      write: context.err,
      now: () => context.clock.now(),
      level: config.logLevel,
      readable: context.tty,
    })
    const works = !given.has('no-workers') && config.handlers.length + config.schedules.length > 0
    const hapax = await createHapax({
      store: config.store,
      ...(config.migrate !== undefined && { migrate: config.migrate }),
      sources: config.sources,
      // Also where it starts none: people ask it what holds their runs.
      handlers: config.handlers,
      schedules: config.schedules,
      group: config.group,
      concurrency: config.concurrency,
      lease: config.leaseMs,
      beat: config.beatMs,
      grace: config.graceMs,
      retention: { payloads: config.payloadsMs, journal: config.journalMs, identities: config.identitiesMs },
      ...(config.alerts && { alerts: config.alerts }),
      ...(config.key !== undefined && { key: config.key }),
      log,
      clock: context.clock,
      random: context.random,
    })
    try {
      if (works) await hapax.start()
      const server = given.has('no-server')
        ? undefined
        : await listen(hapax, {
            host: config.host,
            port: config.port,
            hosts: config.hosts,
            grace: config.graceMs,
            log,
            clock: context.clock,
          })
      context.out(
        `hapax ${server ? `listens on ${server.url}` : 'works'} (store ${config.store}, ${config.sources.length} sources, ${works ? config.handlers.length : 0} handlers, ${works ? config.schedules.length : 0} schedules, since ${isoTime(context.clock.now())})\n`,
      )
      await context.stopped()
      // No run begins any more, while what is on its way in is accepted: both within the one grace.
      await hapax.stop(server ? { after: server.close() } : {})
    } finally {
      await hapax.stop()
    }
    return exitCodes.ok
  },
}
