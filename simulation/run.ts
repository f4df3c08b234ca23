import { parseArgs } from 'node:util'
import { systemClock } from '../src/kit/clock.ts'
import { campaign } from './campaign.ts'
import { withoutCharges } from './charges.ts'
import { firstSeedOf, withoutFlow } from './flow.ts'
import { type Invariant, invariants } from './invariants.ts'
import type { Plan } from './plan.ts'
import { onPostgres } from './postgres/setting.ts'
import { onMemory } from './setting.ts'
import { storyOf } from './story.ts'
import { simulate } from './world.ts'

/**
 * `npm run simulate -- --seed 1 --seeds 1000`: results on standard output, which the same seeds repeat byte for byte;
 * progress and timings on standard error. `--store postgres` puts the PostgreSQL driver and a server of its own below. Ends with 1 where a promise was breached, 2 where a point was never reached.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '100' },
    /** Prints all that happens in one seed. */
    trace: { type: 'boolean', default: false },
    /** Ends at the first breach of this invariant, without a story: for mutants. */
    until: { type: 'string' },
    /** What the nodes stand on: `memory`, or `postgres`. */
    store: { type: 'string', default: 'memory' },
    /** Without a dependency and those who use it: their worlds change with each feature of limits. */
    plain: { type: 'boolean', default: false },
    /** With `plain`: what came later stays. Without: `plain` takes that away, too. */
    flow: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const seeds = values.trace ? 1 : Number(values.seeds)
const until =
  values.until === 'any' ? 'any' : Object.keys(invariants).find((name): name is Invariant => name === values.until)

const postgres = values.store === 'postgres' ? await onPostgres() : undefined
const whole = postgres ?? onMemory
const setting = values.plain ? { ...whole, draw: plainly } : whole
const { draw, ground, points } = setting

const startedMs = systemClock.monotonicMs()
try {
  await lookAt()
} finally {
  await postgres?.close()
}

async function lookAt(): Promise<void> {
  if (values.trace) {
    const { story } = await simulate(draw(seed), { tells: true, ground })
    console.log(story.join('\n'))
  }

  const found = await campaign({
    seed,
    seeds,
    setting,
    ...(until === undefined ? {} : { until }),
    progress: (done, failures) => {
      if (done % 100 === 0) console.error(`${done} of ${seeds} seeds, ${failures} failed, ${rate(done)} ms a seed`)
    },
  })

  if (values.json) {
    const { failures, seeds: done } = found
    console.log(JSON.stringify({ seed, seeds: done, failures, reached: [...found.reached].sort() }))
  } else {
    for (const { seed: failed, violations } of found.failures.slice(0, 3)) {
      const [first] = violations
      if (first) console.log(`seed ${failed}\n${await storyOf(draw(failed), first, ground)}\n`)
    }
    for (const { seed: failed, violations } of found.failures)
      console.log(
        `seed ${failed} failed: ${violations.map(({ invariant, what }) => `${invariant} ${what}`).join('; ')}`,
      )
    const missed = points.filter((point) => !found.reached.has(point) && seed + seeds > (firstSeedOf[point] ?? 0))
    console.log(`${found.seeds} seeds from ${seed}: ${found.failures.length} failed`)
    console.log(
      `${found.events} events, ${found.steps} steps of the schedule, ${Math.round(found.virtualMs / 1_000)} virtual seconds`,
    )
    console.log(
      `${found.reached.size} of ${points.length} points reached${missed.length ? `; never: ${missed.join(', ')}` : ''}`,
    )
    // Few seeds cannot reach everything.
    if (found.failures.length === 0 && missed.length > 0 && seeds >= 1_000) process.exitCode = 2
  }
  console.error(`${rate(found.seeds)} ms a seed`)
  if (found.failures.length > 0) process.exitCode = 1
}

function plainly(one: number): Plan {
  const plan = withoutCharges(whole.draw(one))
  return values.flow ? plan : withoutFlow(plan)
}

function rate(done: number): string {
  return ((systemClock.monotonicMs() - startedMs) / done).toFixed(1)
}
