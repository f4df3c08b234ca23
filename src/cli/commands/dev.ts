import { watch } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import type { Timer } from '../../kit/clock.ts'
import { type Child, type Command, exitCodes } from '../command.ts'
import { serveFlags } from './serve.ts'

/** How long changes gather before a restart: editors write a file in several goes. */
const gatherMs = 150

/** `serve` for the desk. */
export const dev: Command = {
  name: 'dev',
  sentence:
    'Serves with .hapax/dev.db and readable logs, and restarts gracefully when a file beside the configuration changes.',
  takes: ['[CONFIG]'],
  flags: serveFlags,
  examples: ['hapax dev'],
  async run(context, given) {
    const [file] = given.positionals
    const store = given.text('store') ?? 'sqlite:.hapax/dev.db'
    await mkdir(resolve(context.cwd, '.hapax'), { recursive: true, mode: 0o700 })
    const config = await loadConfig({
      ...(file !== undefined && { file }),
      flags: { store },
      env: context.env,
      cwd: context.cwd,
    })
    const args = ['serve', ...(config.file === undefined ? [] : [config.file]), '--store', store]
    for (const flag of ['port', 'host'])
      if (given.text(flag) !== undefined) args.push(`--${flag}`, given.required(flag))
    for (const flag of ['no-workers', 'no-server']) if (given.has(flag)) args.push(`--${flag}`)

    let isStopping = false
    let hasChanged = false
    let child: Child | undefined
    let wake = () => {}
    const next = () => (child ? child.stop() : wake())
    let timer: Timer | undefined
    const watcher = watch(config.file === undefined ? context.cwd : dirname(config.file), (_kind, name) => {
      if (!name || name.startsWith('.') || !/\.[cm]?[jt]s$/.test(name)) return
      timer?.cancel()
      timer = context.clock.setTimer(gatherMs, () => {
        context.err(`${name} changed: restarting\n`)
        hasChanged = true
        next()
      })
    })
    void context.stopped().then(() => {
      isStopping = true
      next()
    })
    while (!isStopping) {
      hasChanged = false
      child = context.spawn(args)
      const code = await child.ended
      child = undefined
      // One that was stopped for a change is started again; one that failed by itself waits for the change that mends it.
      if (isStopping || hasChanged || code === exitCodes.ok) continue
      context.err('It failed; the next change starts it again.\n')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    timer?.cancel()
    watcher.close()
    return exitCodes.ok
  },
}
