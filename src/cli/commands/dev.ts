import { watch } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { type Command, exitCodes } from '../command.ts'
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

    let stopping = false
    let child = context.spawn(args)
    let timer: { cancel(): void } | undefined
    const watcher = watch(config.file === undefined ? context.cwd : dirname(config.file), (_kind, name) => {
      if (!name || name.startsWith('.') || !/\.[cm]?[jt]s$/.test(name)) return
      timer?.cancel()
      timer = context.clock.setTimer(gatherMs, () => {
        context.err(`${name} changed: restarting\n`)
        child.stop()
      })
    })
    void context.stopped().then(() => {
      stopping = true
      child.stop()
    })
    let code: number = await child.ended
    while (!stopping) {
      // A child that failed by itself waits for the next change; one that was stopped for a change is started again.
      if (code !== exitCodes.ok)
        await new Promise<void>((wake) => {
          const again = watch(config.file === undefined ? context.cwd : dirname(config.file), () => wake())
          again.once('change', () => again.close())
          void context.stopped().then(() => wake())
        })
      if (stopping) break
      child = context.spawn(args)
      code = await child.ended
    }
    watcher.close()
    return exitCodes.ok
  },
}
