/** Waits that outlive a restart: a sleep, a signal from a person, and a wait that times out. */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createHapax, handler, WaitTimeout } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-signals-'))

const payOut = handler('pay-out', { source: 'shop', on: 'payout.asked' }, async (_event, run) => {
  console.log(`attempt ${run.attempt}`)
  // Of a second or more, the slot is free meanwhile: the attempt ends, and the handler is entered again.
  await run.sleep('cool down', '1s')
  const approval = await run.waitFor('approved', { timeout: '2d' })
  const note = await run.waitFor('note', { timeout: '200ms' }).catch((error: unknown) => {
    if (error instanceof WaitTimeout) return 'no note came'
    throw error
  })
  return { approval, note }
})

const store = `sqlite:${folder.path}/signals.db`
const first = await createHapax({ store, handlers: [payOut] })
await first.start()
const { runs } = await first.accept({ source: 'shop', id: 'payout-1', type: 'payout.asked', data: { amount: 500 } })
for (const { id } of runs) {
  while ((await first.runs.get(id)).status !== 'waiting') await delay(20)
  const { state } = await first.runs.get(id)
  console.log(`${state?.status} for ${state?.waitingFor}`)
  await first.stop()

  await using second = await createHapax({ store, handlers: [payOut] })
  await second.start()
  console.log('after a restart:', (await second.runs.get(id)).status)
  // The id makes the signal one: sent twice, it counts once.
  const told = await second.runs.signal(id, 'approved', { by: 'the risk desk' }, { id: 'approval-1' })
  console.log('signal:', told.outcome)
  console.log(await second.runs.result(id, { timeout: '20s' }))
}
