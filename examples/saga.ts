/** A saga: each step says how it is undone. A Fatal ends the run; what was done is undone, the last step first. */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHapax, Fatal, handler } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-saga-'))

const book = handler('book-trip', { source: 'shop', on: 'trip.ordered', undoOnDeath: true }, async (event, run) => {
  const flight = await run.step('flight', {
    run: () => {
      console.log('flight booked')
      return { ticket: 'F-7' }
    },
    undo: ({ ticket }) => console.log(`flight ${ticket} cancelled`),
  })
  await run.step('hotel', {
    run: () => {
      console.log('hotel booked')
      return { room: 'H-12' }
    },
    undo: ({ room }) => console.log(`hotel ${room} cancelled`),
  })
  await run.step('car', () => {
    // Fatal says two things: no retry can help, and this step did not have its effect. So it is not in doubt.
    throw new Fatal('no car is left')
  })
  return { trip: event.id, flight }
})

await using hapax = await createHapax({ store: `sqlite:${folder.path}/saga.db`, handlers: [book] })
await hapax.start()

const { runs } = await hapax.accept({ source: 'shop', id: 'trip-1', type: 'trip.ordered', data: { to: 'Athens' } })
for (const { id } of runs) {
  // A run that did not complete rejects with the reason.
  await hapax.runs.result(id, { timeout: '10s' }).catch((error: unknown) => console.log(String(error)))
  const { state, steps } = await hapax.runs.get(id)
  console.log(`${state?.status}: ${state?.reason}; ${state?.error?.code}: ${state?.error?.message}`)
  console.log(steps.map(({ step }) => `${step.kind} ${step.name}`).join(', '))
}
