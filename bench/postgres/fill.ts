import { createHapax, handler } from '../../src/index.ts'
import { perSecond, produce, slots } from '../measure.ts'
import { payload } from '../payload.ts'
import { ids } from '../works/events.ts'
import type { Works } from './contestant.ts'

/**
 * Fills a database by the public door: so many finished events, and a tenth as many whose runs sleep for a month. By that
 * door and not by COPY, so that marks, numbers and what stands are as an engine leaves them, whatever the tables are.
 */
export const works: Works = {
  'whole life': async (bench) => {
    const waiting = Math.ceil(bench.count / 10)
    let reached = 0
    let reach = () => {}
    const all = new Promise<void>((resolve) => {
      reach = resolve
    })
    const settle = handler('settle-payment', { source: 'stripe', on: '*' }, async ({ type }, run) => {
      if (++reached === bench.count + waiting) reach()
      if (type === 'payment_intent.waiting') await run.sleep('until-it-is-due', '30d')
      return { ok: true }
    })
    const hapax = await createHapax({ store: bench.url, migrate: 'auto', handlers: [settle], concurrency: slots })
    await hapax.start()
    const idOf = ids('stored')
    const measured = await perSecond(bench.count + waiting, async () => {
      await produce(bench.count + waiting, (index) => {
        // One in eleven, so that they lie among the finished.
        const type = index % 11 === 10 ? 'payment_intent.waiting' : 'payment_intent.succeeded'
        const id = idOf(index)
        return hapax.accept({ source: 'stripe', id, type, data: payload(id) })
      })
      await all
      await hapax.stop()
    })
    await bench.settle()
    return measured
  },
}
