/** What ticks: once for each time, however many nodes there are; here each second, on two nodes with one file. */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHapax, schedule } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-schedules-'))

let came = 0
let enough = () => {}
const twice = new Promise<void>((resolve) => {
  enough = resolve
})

// Five fields, or six with seconds first. In earnest: schedule('close-books', '0 3 * * *', { timezone: 'Europe/Athens' }, …)
const second = schedule('each-second', '* * * * * *', { missed: 'skip' }, async (event, run) => {
  const counted = await run.step('count', () => ++came)
  console.log(`tick ${counted} of ${event.data.schedule}`)
  if (counted === 2) enough()
  return { at: event.data.at }
})

const node = () => createHapax({ store: `sqlite:${folder.path}/schedules.db`, schedules: [second] })
const nodes = [await node(), await node()]
for (const one of nodes) await one.start()
await twice
const [one] = nodes
if (one) {
  const [listed] = await one.schedules()
  console.log(listed?.cron, listed?.timezone, 'missed:', listed?.missed)
  const { events } = await one.events.list({ type: 'schedule.each-second' })
  const times = new Set(events.map(({ id }) => id))
  console.log(times.size === events.length ? 'each time once' : 'some time twice')
}
for (const each of nodes) await each.stop()
