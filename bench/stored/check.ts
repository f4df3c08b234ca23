import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createHapax, handler } from '../../src/index.ts'
import { payload } from '../payload.ts'
import type { Sizes } from './fill.ts'

/** The command line of the product. */
export const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

const samples = 20
const newest = 10

/**
 * Whether the product takes the set for its own: its doctor finds nothing that fails, sampled events have their history and are
 * found among the newest, repeats of sampled identities are duplicates of the right event, and an owner finds nothing to run.
 */
export async function checked(url: string, sizes: Sizes, progress: (text: string) => void): Promise<void> {
  const events = sizes.finished + sizes.waiting
  const { stdout } = spawnSync(process.execPath, [cli, 'doctor', '--store', url, '--json'], { encoding: 'utf8' })
  const findings: { about: string; state: string; found: string }[] = JSON.parse(stdout)
  for (const { about, state, found } of findings) if (state !== 'ok') progress(`doctor: ${state}, ${about}: ${found}`)
  if (findings.some(({ state }) => state === 'fail')) throw new TypeError('The doctor finds that the set fails.')
  let ran = 0
  const settle = handler('settle-payment', { source: 'stripe', on: '*' }, () => {
    ran++
  })
  const hapax = await createHapax({ store: url, handlers: [settle] })
  await hapax.start()
  try {
    const ids = Array.from(
      { length: samples },
      (_, index) => `stored_${Math.floor(((index + 0.5) * events) / samples)}`,
    )
    for (const id of ids) {
      const receipt = await repeat(id)
      const history = await hapax.events.history(receipt.event.key)
      const status = receipt.runs[0]?.status
      if (!['completed', 'scheduled'].includes(status ?? '')) wrong(id, `its run is ${status}`)
      if (history.length < 2) wrong(id, `its history has ${history.length} entries`)
      const { event } = await hapax.events.get(receipt.event.key)
      if (event.id !== id) wrong(id, `it is found as ${event.id}`)
    }
    const remembered = sizes.identities - events
    if (remembered > 0)
      for (let n = 0; n < samples; n++) await repeat(`remembered_${Math.floor((n * remembered) / samples)}`)
    const list = await hapax.events.list({ limit: newest })
    const found = list.events.map(({ id }) => Number(/^stored_(\d+)$/.exec(id)?.[1]))
    if (found.some((n) => !(n >= events - 20_000))) throw new TypeError(`The newest are ${found.join(', ')}.`)
    const { standing } = await hapax.controls.counts()
    if (standing.scheduled !== sizes.waiting + 1) throw new TypeError(`${standing.scheduled} runs are scheduled.`)
  } finally {
    await hapax.stop()
  }
  if (ran > 0) throw new TypeError(`${ran} runs of the set were run again.`)
  progress('the product takes the set for its own')

  async function repeat(id: string) {
    const receipt = await hapax.accept({ source: 'stripe', id, type: 'payment_intent.succeeded', data: payload(id) })
    if (receipt.outcome !== 'duplicate') wrong(id, `its repeat is ${receipt.outcome}`)
    return receipt
  }
}

function wrong(id: string, what: string): never {
  throw new TypeError(`${id}: ${what}.`)
}
