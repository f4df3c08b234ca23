import { expect, it } from 'vitest'
import { asked } from '../../../test/support/command-line.ts'

const id = '01M86Q8F7E000MWXFV13SA7N1Q-8bjsd57n'
const error = { code: 'CircuitOpen', message: 'The circuit of bank is open.' }
const state = { status: 'parked', reason: 'circuit_open', since: 1_764_000_000_000, dependency: 'bank', error }
const view = { id, handler: 'pay', status: 'parked', steps: [], interventions: [] }

it('says of a parked run which dependency is down, whether it had begun or not', async () => {
  const path = `/v1/runs/${id}`
  const begun = await asked({ [path]: { ...view, state } }, 'runs', id)
  expect(begun.out).toMatch(/status +parked\nreason +circuit_open: bank\nsince +2025-11-24 16:00:00\n/)
  expect(begun.out).toMatch(/see +hapax dependencies bank\n/)
  const waits = await asked({ [path]: { ...view, held: { reason: 'circuit_open', by: 'bank' } } }, 'runs', id)
  expect(waits.out).toMatch(/status +parked\nreason +circuit_open: bank\nsee +hapax dependencies bank\n/)
  const behind = { ...view, status: 'ready', held: { reason: 'behind', by: id } }
  expect((await asked({ [path]: behind }, 'runs', id)).out).not.toContain('see ')
  const retries = { ...view, status: 'scheduled', state: { ...state, status: 'scheduled', reason: 'retry' } }
  expect((await asked({ [path]: retries }, 'runs', id)).out).not.toContain('see ')
})

it('lists parked runs by their dependency, and says which are not in the list', async () => {
  const run = { event: id.slice(0, 26), position: 1, tag: id.slice(27) }
  const runs = [{ run, handler: 'pay', group: 'g', identity: { id: 'order-1' }, type: 't', state }]
  const { out, err } = await asked({ '/v1/runs': { runs } }, 'runs', '--status', 'parked')
  expect(out.split('\n')[1]).toMatch(/parked +pay +order-1 +circuit_open: bank +01M/)
  expect(err).toContain('hapax dependencies counts them as waiting')
  expect((await asked({ '/v1/runs': { runs } }, 'runs', '--status', 'dead')).err).toBe('')
})
