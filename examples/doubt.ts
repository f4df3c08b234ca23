/**
 * A step in doubt: the provider charged, and its reply was lost. With `confirm` Hapax asks before it repeats; marked
 * `once` the step is never repeated, and a person decides.
 */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createHapax, handler } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-doubt-'))

class ReplyLost extends Error {}

/** A provider outside: it remembers a charge by its key, and its first reply gets lost. */
const charges = new Map<string, { readonly charge: number }>()
const charge = (key: string): { readonly charge: number } => {
  charges.set(key, { charge: charges.size + 1 })
  throw new ReplyLost('connection reset')
}

const retry = { min: '50ms', jitter: 'none' } as const
const careful = handler('careful', { source: 'shop', on: 'order.paid', retry }, (_event, run) =>
  run.step('charge', {
    run: charge,
    confirm: (key) => {
      const found = charges.get(key)
      console.log('confirm: was it charged?', found ? 'yes' : 'no')
      return found ? { result: found } : 'absent'
    },
  }),
)
const blunt = handler('blunt', { source: 'shop', on: 'gift.sent', retry }, (_event, run) =>
  run.step('send', { run: charge, once: true }),
)

await using hapax = await createHapax({ store: `sqlite:${folder.path}/doubt.db`, handlers: [careful, blunt] })
await hapax.start()

const paid = await hapax.accept({ source: 'shop', id: 'order-1', type: 'order.paid' })
for (const { id } of paid.runs) console.log('careful:', await hapax.runs.result(id, { timeout: '10s' }))
console.log('charges:', charges.size)

const sent = await hapax.accept({ source: 'shop', id: 'gift-1', type: 'gift.sent' })
for (const { id } of sent.runs) {
  while ((await hapax.runs.get(id)).status !== 'unknown') await delay(20)
  console.log('blunt: unknown, until a person has looked')
  const decided = { step: 'send', result: { charge: 2 }, reason: 'seen in the statement of the provider' }
  console.log('resolve:', (await hapax.runs.resolve(id, decided)).outcome)
  console.log('blunt:', await hapax.runs.result(id, { timeout: '10s' }))
}
console.log('charges:', charges.size)
