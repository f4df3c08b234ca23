import { type Handler, type HandlerEvent, handler, type PrioritizedEvent, type Run } from '../src/engine/handler.ts'
import { type Schedule, schedule } from '../src/engine/schedule.ts'
import { Fatal, WaitTimeout } from '../src/event/outcome.ts'
import { type StepAddress, stepText } from '../src/event/run.ts'
import { type Dependency, dependency } from '../src/flow/dependency.ts'
import type { Clock } from '../src/kit/clock.ts'
import type { Model } from './model.ts'
import type { OutsideService } from './outside.ts'
import { packing } from './packing.ts'
import type { BurstPlan, Deed, DependencyPlan, Plan, RatesPlan, Version } from './plan.ts'
import { urgencyOf } from './turns.ts'

/** Where handler code runs. */
export interface Site {
  /** One start of one node. */
  readonly node: string
  readonly clock: Clock
  readonly outside: OutsideService
  readonly model: Model
}

const retry = { attempts: 4, min: 100, max: 1_500 } as const
/** When a run of the handler `brief` is too old. */
export const briefMs = 3_000

const common = { source: 'shop', retry, timeout: 5_000 } as const

/** The handlers of a node, in this version of the code. All do what their event says. */
export function codeOf(
  site: Site,
  version: Version,
  {
    dependency: plan,
    burst,
    versions,
    rates,
    batch,
    turns,
  }: Pick<Plan, 'dependency' | 'burst' | 'versions' | 'rates' | 'batch' | 'turns'>,
): Handler[] {
  const bank = plan && bankOf(plan)
  const body = (event: HandlerEvent, run: Run) => {
    const { deeds } = event.data as { readonly deeds: readonly Deed[] }
    return follow(site, version, { event, deeds }, run, bank)
  }
  const book =
    version === 'renamed'
      ? handler('booking', { ...common, on: 'book.*', formerly: ['book'] }, body)
      : handler('book', { ...common, on: 'book.*' }, body)
  const audit = handler('audit', { ...common, on: 'book.*' }, body)
  return [
    book,
    ...(version === 'without_audit' ? [] : [audit]),
    handler('ledger', { ...common, on: 'ledger.*', order: true }, body),
    handler('feed', { ...common, on: 'feed.*', order: { onDead: 'skip' } }, body),
    handler('brief', { ...common, on: 'brief.*', expires: briefMs }, body),
    handler('saga', { ...common, on: 'saga.*', undoOnDeath: true }, body),
    handler('follow', { ...common, source: 'pay', on: 'follow.*' }, body),
    ...(plan && bank ? [charging(plan, bank, body)] : []),
    ...(burst ? keepingTheLatest(burst, body) : []),
    ...(versions ? comparingVersions(body) : []),
    ...(rates ? atARate(rates, body) : []),
    ...(batch ? [packing(site, batch, common)] : []),
    ...(turns ? takingTurns(site, body) : []),
  ]
}

/** The schedules of a node, in this version of the code. */
export function schedulesOf(site: Site, version: Version, { schedules = [] }: Pick<Plan, 'schedules'>): Schedule[] {
  return schedules.map(({ name, everyMs, missed, deeds }) =>
    schedule(
      version === 'renamed' ? `${name}-new` : name,
      everyMs === 60_000 ? '* * * * *' : `*/${everyMs / 1_000} * * * * *`,
      {
        missed,
        retry,
        timeout: 5_000,
        order: name === 'tick' && { onDead: 'skip' },
        ...(version === 'renamed' ? { formerly: [name] } : {}),
      },
      (event, run) => follow(site, version, { event, deeds }, run),
    ),
  )
}

function bankOf({ rate, concurrency, failures, withinMs, cooldownMs }: DependencyPlan): Dependency {
  return dependency('bank', {
    timeout: 1_000,
    ...(rate === undefined ? {} : { rate }),
    ...(concurrency === undefined ? {} : { concurrency }),
    circuit: { failures, within: withinMs, cooldown: cooldownMs },
  })
}

function charging(
  { isDeclared, isOrdered, expiresMs, runs, runsPerKey }: DependencyPlan,
  bank: Dependency,
  body: Handler['body'],
): Handler {
  return handler(
    'charge',
    {
      ...common,
      on: 'charge.*',
      timeout: 20_000,
      order: isOrdered && { onDead: 'skip' },
      concurrency: {
        ...(runs === undefined ? {} : { limit: runs }),
        ...(runsPerKey === undefined ? {} : { perKey: runsPerKey }),
      },
      ...(isDeclared ? { uses: [bank] } : {}),
      ...(expiresMs === undefined ? {} : { expires: expiresMs }),
    },
    body,
  )
}

function keepingTheLatest({ windowMs }: BurstPlan, body: Handler['body']): Handler[] {
  const coalesce = { key: ({ orderKey }: HandlerEvent) => orderKey ?? '', window: windowMs }
  return [
    handler('level', { ...common, on: 'level.*', coalesce }, body),
    handler('stock', { ...common, on: 'stock.*', coalesce, order: { onDead: 'skip' } }, body),
  ]
}

function atARate({ ofHandler }: RatesPlan, body: Handler['body']): Handler[] {
  return [
    handler('meter', { ...common, on: 'meter.*', rate: ofHandler }, body),
    // Of their source's events begin no more than its rate allows, for both together.
    handler('till', { ...common, source: 'till', on: 'till.*' }, body),
    handler('receipt', { ...common, source: 'till', on: 'till.*' }, body),
  ]
}

function takingTurns({ node, model }: Site, body: Handler['body']): Handler[] {
  const priorityOf = (name: string) => (event: PrioritizedEvent) => {
    model.turns.asked(node, name, event)
    const urgency = urgencyOf(event.type)
    if (urgency === undefined) throw new RangeError('odd')
    return urgency
  }
  const options = { ...common, source: 'desk' }
  return [
    handler('errand', { ...options, on: 'errand.*', priority: priorityOf('errand') }, body),
    handler('clerk', { ...options, on: 'clerk.*', priority: priorityOf('clerk'), concurrency: 1 }, body),
  ]
}

function comparingVersions(body: Handler['body']): Handler[] {
  const supersede = {
    key: ({ orderKey }: HandlerEvent) => orderKey ?? '',
    version: ({ data }: HandlerEvent) => (data as { readonly version: number | string }).version,
  }
  const options = { ...common, supersede } as const
  return [
    handler('price', { ...options, on: 'price.*', order: { onDead: 'skip' } }, body),
    handler('quote', { ...options, on: 'quote.*', concurrency: { perKey: 1 } }, body),
    handler('sync', { ...options, on: 'sync.*' }, body),
  ]
}

async function follow(
  site: Site,
  version: Version,
  { event, deeds }: { readonly event: HandlerEvent; readonly deeds: readonly Deed[] },
  run: Run,
  bank?: Dependency,
): Promise<string> {
  const at = { run: run.id, generation: run.generation, attempt: run.attempt, node: site.node }
  site.model.runs.entered(at, event)
  for (const deed of deeds) await perform(site, version, deed, run, bank)
  site.model.runs.returned(at, event)
  return `done by ${run.id.slice(-8)}`
}

async function perform(site: Site, version: Version, deed: Deed, run: Run, bank?: Dependency): Promise<void> {
  const at = { run: run.id, generation: run.generation, attempt: run.attempt, node: site.node }
  switch (deed.do) {
    case 'step':
      return performStep(site, version, deed, run)
    case 'sleep': {
      await run.sleep(deed.name, deed.ms)
      site.model.steps.slept(at, addressOf('sleep', deed.name))
      return
    }
    case 'wait':
      try {
        const options = {
          ...(deed.of === undefined ? {} : { of: deed.of }),
          ...(deed.ms === undefined ? {} : { timeout: deed.ms }),
        }
        const value = await run.waitFor(deed.name, options)
        site.model.steps.got(at, addressOf('waitFor', deed.name, deed.of), value)
      } catch (error) {
        if (!(error instanceof WaitTimeout)) throw error
        site.model.steps.timedOut(at, addressOf('waitFor', deed.name, deed.of), deed.ms ?? 0)
      }
      return
    case 'emit': {
      const { key } = await run.emit({ type: deed.type, data: { deeds: deed.deeds } })
      site.model.steps.got(at, addressOf('emit', deed.type), { key })
      return
    }
    case 'both':
      await Promise.all(deed.deeds.map((one) => perform(site, version, one, run, bank)))
      return
    case 'charge':
      await run.step(deed.name, (key) => bank?.call(() => site.outside.charge(site.clock, key, site.node)) ?? '')
      return
    case 'throws':
      if (site.outside.count(`${run.id} throws ${deed.name}`) < deed.times) throw new Poison('poison')
      return
    case 'dies':
      throw new Fatal('poison')
    case 'lingers':
      await new Promise<void>((resolve) => site.clock.setTimer(deed.ms, resolve))
  }
}

class Poison extends Error {
  override readonly name = 'Poison'
}

async function performStep(site: Site, version: Version, deed: Extract<Deed, { do: 'step' }>, run: Run): Promise<void> {
  const { model, outside, clock } = site
  const at = { run: run.id, generation: run.generation, attempt: run.attempt, node: site.node }
  const name = deed.renamed && version === 'renamed' ? `${deed.name}-new` : deed.name
  const address = addressOf('step', name, deed.of)
  const undoAddress = addressOf('undo', name, deed.of)
  const result = await run.step<string>(name, {
    ...(deed.of === undefined ? {} : { of: deed.of }),
    timeout: deed.patienceMs,
    run: async (key) => {
      const call = model.steps.called(at, address, key, deed.safety)
      try {
        return await outside.call(clock, key, deed.reactions)
      } catch (error) {
        model.steps.threw(call, error)
        throw error
      }
    },
    ...(deed.safety === 'once' ? { once: true } : {}),
    ...(deed.safety === 'confirm'
      ? {
          confirm: (key: string) => {
            if (outside.count(`confirm ${key}`) < deed.unsure) return 'unsure' as const
            const done = outside.doneBy(key)
            model.steps.confirmed(at, address, done)
            return done === undefined ? ('absent' as const) : { result: done }
          },
        }
      : {}),
    ...(deed.undo
      ? {
          undo: (_result: string, key: string) => {
            model.steps.undoCalled(at, undoAddress, key)
            return outside.call(clock, key, deed.undoReactions)
          },
        }
      : {}),
  })
  model.steps.got(at, address, result)
}

function addressOf(kind: StepAddress['kind'], name: string, of = ''): StepAddress {
  return { kind, name, of }
}

/** A step address as one text. */
export const textOf = stepText
