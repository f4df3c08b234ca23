import { loadConfig } from '../../config/load.ts'
import { HapaxError, sentenceOf } from '../../errors/hapax-error.ts'
import { shortTime } from '../../kit/iso-time.ts'
import { silentLog } from '../../kit/log.ts'
import type { CircuitRecord } from '../../store/circuits.ts'
import { type Finding, failure, fine, warning } from '../../store/finding.ts'
import { openStore } from '../../store/open-store.ts'
import type { Store } from '../../store/store.ts'
import { type Command, type Context, exitCodes } from '../command.ts'
import { json, shown } from '../print.ts'

type Config = Awaited<ReturnType<typeof loadConfig>>

/** Looks at what commonly goes wrong, and says what to do. */
export const doctor: Command = {
  name: 'doctor',
  sentence:
    'Looks at Node, configuration, the store and what it stands on, and what waits for a person; says what to do. Makes and changes nothing. Exits 1 where something fails.',
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
      const { sources, handlers, schedules } = config
      const many = `${sources.length} sources, ${handlers.length} handlers, ${schedules.length} schedules`
      findings.push(fine('configuration', `${config.file ?? 'defaults'}: ${many}`))
      findings.push(...(await storeFindings(context, config)))
    } catch (error) {
      findings.push(failure('configuration', told(error), 'a configuration that is valid', 'correct what is named'))
    }
    if (given.has('json')) context.out(json(findings))
    else context.out(`${findings.map(lines).join('')}${summary(findings)}`)
    return findings.some(({ state }) => state === 'fail') ? exitCodes.failed : exitCodes.ok
  },
}

const marks = { ok: ' ok ', warn: 'WARN', fail: 'FAIL' }

function lines({ about, state, found, wanted, todo }: Finding): string {
  const first = `${marks[state]}  ${about.padEnd(14)} ${shown(found)}\n`
  const indent = ' '.repeat(21)
  const more = [wanted && `wanted: ${shown(wanted)}`, todo && `to do:  ${shown(todo)}`]
  return first + more.map((line) => (line ? `${indent}${line}\n` : '')).join('')
}

function summary(findings: readonly Finding[]): string {
  const count = (state: Finding['state']) => findings.filter((one) => one.state === state).length
  return `${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed\n`
}

function nodeFinding(): Finding {
  const { node } = process.versions
  return Number(node.split('.')[0]) >= 24 ? fine('node', node) : failure('node', node, '24 or later', 'upgrade Node')
}

async function storeFindings(context: Context, config: Config): Promise<Finding[]> {
  const { clock, random } = context
  try {
    const store = await openStore(config.store, { clock, random, log: silentLog, lookOnly: true })
    try {
      const now = clock.now()
      const kept = {
        payloadsBefore: now - config.payloadsMs,
        journalBefore: now - config.journalMs,
        identitiesBefore: now - config.identitiesMs,
      }
      return [...(await contentFindings(store)), ...((await store.diagnose?.(kept)) ?? [])]
    } finally {
      await store.close()
    }
  } catch (error) {
    return [openFailure(error)]
  }
}

function openFailure(error: unknown): Finding {
  const wanted = 'a store that opens'
  if (!(error instanceof HapaxError)) return failure('store', told(error), wanted, 'look at what it says')
  const found = String(error.details.reason ?? sentenceOf(error))
  // Nothing was to be committed: what the error says of a commit is no help here. A refusal says in its reason what to do.
  const todos: Readonly<Record<string, string>> = {
    store_unavailable: 'let the store run, and see that the URL names it: host, port, database, user',
    store_refused: /run (hapax \w+)/.exec(found)?.[1] ?? 'change what it names',
  }
  const todo = todos[error.code] ?? error.cure
  return failure('store', found, wanted, todo)
}

/** What is in the store, and waits for a person. */
async function contentFindings(store: Store): Promise<Finding[]> {
  const [counts, settings, registry] = await Promise.all([store.counts(), store.settings(), store.registry()])
  const findings: Finding[] = [
    fine('store', `${store.kind}, ${store.durability}, ${store.shards} shards, ${counts.events} events kept`),
  ]
  for (const [status, verb] of [
    ['dead', 'redrive'],
    ['unknown', 'resolve'],
  ] as const) {
    const many = counts.standing[status] ?? 0
    if (many === 0) continue
    findings.push(warning(status, `${many} runs`, 'none', `hapax runs --status ${status}, then hapax ${verb}`))
  }
  if (counts.unclaimed > 0) {
    const todo = 'hapax events --unclaimed, then hapax redrive --unclaimed'
    findings.push(warning('unclaimed', `${counts.unclaimed} events that no handler took`, 'none', todo))
  }
  findings.push(...settings.circuits.filter(({ state }) => state !== 'closed').map(circuitFinding))
  for (const { what, name, reason } of settings.paused) {
    findings.push(
      warning('paused', `${what} ${name} (${reason ?? 'no reason'})`, 'nothing paused', `hapax resume ${what} ${name}`),
    )
  }
  const names = registry.handlers.filter((one) => one.untilVersion === undefined).map((one) => one.name)
  findings.push(fine('handlers', names.join(', ') || 'none registered yet'))
  return findings
}

/** A dependency that is down, since when, and whether it comes back by itself. */
function circuitFinding({ dependency, openedAt, probeAt, reason, actor }: CircuitRecord): Finding {
  const close = `hapax close ${dependency} --reason TEXT`
  const found = `${dependency}, since ${shortTime(openedAt)} UTC (${reason}, by ${actor}): its runs are parked`
  if (probeAt === undefined)
    return warning('circuit open', found, 'closed', `it is held open: ${close}, once it may be called`)
  const cause = reason === 'configuration' ? 'mend its credentials or certificate' : `see whether ${dependency} is up`
  const again = `${shortTime(probeAt)} UTC`
  return warning(
    'circuit open',
    found,
    'closed',
    `${cause}; a run that waits probes from ${again} on, ${close} does not wait`,
  )
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
