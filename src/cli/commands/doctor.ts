import { existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { silentLog } from '../../kit/log.ts'
import { openStore } from '../../store/open-store.ts'
import { type Command, type Context, exitCodes } from '../command.ts'
import { json } from '../print.ts'

/** One thing that was looked at. */
interface Finding {
  readonly about: string
  readonly state: 'ok' | 'look' | 'bad'
  readonly says: string
}

/** Free bytes below which a store's disk is worth a look. */
const freeBytesLeast = 1_073_741_824

/** Looks at what commonly goes wrong, and says what to do. */
export const doctor: Command = {
  name: 'doctor',
  sentence:
    'Looks at Node, configuration, store and what stands in it; says what to do. Makes and changes nothing. Exits 1 where something is bad.',
  takes: ['[CONFIG]'],
  flags: [
    { name: 'store', value: 'URL', sentence: 'The store, instead of the configured one.' },
    { name: 'json', sentence: 'JSON for machines.' },
  ],
  examples: ['hapax doctor'],
  async run(context, given) {
    const [file] = given.positionals
    const store = given.text('store')
    const findings: Finding[] = [nodeFinding()]
    try {
      const config = await loadConfig({
        ...(file !== undefined && { file }),
        flags: store === undefined ? {} : { store },
        env: context.env,
        cwd: context.cwd,
      })
      const many = `${config.sources.length} sources, ${config.handlers.length} handlers`
      findings.push({ about: 'configuration', state: 'ok', says: `${config.file ?? 'defaults'}: ${many}` })
      findings.push(...(await fileFindings(context, config.store)))
      findings.push(...(await storeFindings(context, config.store)))
    } catch (error) {
      findings.push({
        about: 'configuration',
        state: 'bad',
        says: error instanceof Error ? error.message : String(error),
      })
    }
    if (given.has('json')) context.out(json(findings))
    else
      for (const { about, state, says } of findings)
        context.out(`${{ ok: ' ok ', look: 'LOOK', bad: 'BAD ' }[state]}  ${about.padEnd(14)} ${says}\n`)
    return findings.some(({ state }) => state === 'bad') ? exitCodes.failed : exitCodes.ok
  },
}

function nodeFinding(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  return {
    about: 'node',
    state: major >= 24 ? 'ok' : 'bad',
    says: `${process.versions.node}${major >= 24 ? '' : ': Hapax needs 24 or later'}`,
  }
}

async function fileFindings(context: Context, store: string): Promise<Finding[]> {
  if (!store.startsWith('sqlite:')) return []
  const path = resolve(context.cwd, store.slice('sqlite:'.length))
  const findings: Finding[] = []
  if (existsSync(path)) {
    const mode = statSync(path).mode & 0o077
    findings.push(
      mode === 0
        ? { about: 'file', state: 'ok', says: `${path}, readable by its owner alone` }
        : { about: 'file', state: 'look', says: `${path} can be read by others: chmod 600 it, it holds payloads` },
    )
  }
  const disk = await statfs(dirname(path)).catch(() => undefined)
  if (disk) {
    const freeBytes = disk.bavail * disk.bsize
    const free = `${Math.round(freeBytes / 1_048_576)} MiB free`
    findings.push({
      about: 'disk',
      state: freeBytes < freeBytesLeast ? 'look' : 'ok',
      says:
        freeBytes < freeBytesLeast ? `${free}: a full disk answers 503; shorten the retention, or move the file` : free,
    })
  }
  return findings
}

async function storeFindings(context: Context, url: string): Promise<Finding[]> {
  try {
    const { clock, random } = context
    const store = await openStore(url, { clock, random, log: silentLog, lookOnly: true })
    try {
      const counts = await store.counts()
      const settings = await store.settings()
      const registry = await store.registry()
      const findings: Finding[] = [
        {
          about: 'store',
          state: 'ok',
          says: `${store.kind}, ${store.durability}, ${store.shards} shards, ${counts.events} events kept`,
        },
      ]
      for (const [status, verb] of [
        ['dead', 'redrive'],
        ['unknown', 'resolve'],
      ] as const) {
        const many = counts.standing[status] ?? 0
        if (many > 0)
          findings.push({
            about: status,
            state: 'look',
            says: `${many} runs: see hapax runs --status ${status}, then hapax ${verb}`,
          })
      }
      if (counts.unclaimed > 0)
        findings.push({
          about: 'unclaimed',
          state: 'look',
          says: `${counts.unclaimed} events that no handler took: hapax events --unclaimed, then hapax redrive --unclaimed`,
        })
      for (const pause of settings.paused)
        findings.push({
          about: 'paused',
          state: 'look',
          says: `${pause.what} ${pause.name} (${pause.reason ?? 'no reason'}): hapax resume ${pause.what} ${pause.name}`,
        })
      findings.push({
        about: 'handlers',
        state: 'ok',
        says:
          registry.handlers
            .filter((one) => one.untilVersion === undefined)
            .map((one) => one.name)
            .join(', ') || 'none registered yet',
      })
      return findings
    } finally {
      await store.close()
    }
  } catch (error) {
    return [{ about: 'store', state: 'bad', says: error instanceof Error ? error.message : String(error) }]
  }
}
