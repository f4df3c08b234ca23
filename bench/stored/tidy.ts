import { createHapax } from '../../src/index.ts'
import type { Measured } from '../measure.ts'
import { slots } from '../measure.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { counted } from '../works/events.ts'

/** What a work that only accepts has left is run, so that whoever comes next finds nothing but what waits. */
export const works: Works = {
  tidy: (bench) => run(bench, bench.count === 0 ? 0 : bench.count + bench.warmUp),
  'tidy half': (bench) => run(bench, Math.floor(bench.count / 2) + bench.warmUp),
}

/** With 0 the handler becomes known, and that is all. */
async function run(bench: Bench, left: number): Promise<Measured> {
  const { handler, reached } = counted()
  const hapax = await createHapax({ store: bench.url, migrate: 'auto', handlers: [handler], concurrency: slots })
  const all = reached(left)
  await hapax.start()
  await all
  await hapax.stop()
  return {}
}
