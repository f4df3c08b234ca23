import assert from 'node:assert/strict'
import type { CircuitTurn } from '../../store/circuits.ts'
import { contractCases } from './contract-case.ts'
import { defined, only } from './scene.ts'

const opens: CircuitTurn = {
  dependency: 'bank',
  seen: 0,
  state: 'open',
  probeInMs: 15_000,
  reason: 'failures',
  actor: 'one',
}

/** What all nodes know of a dependency: its circuit, and the limits that an operator set. */
export const circuitCases = contractCases('circuits', {
  'no circuit is there before one turned, and no limit before one was set': async (scene) => {
    const { circuits, limits } = await scene.store.settings()
    assert.deepEqual([circuits, limits], [[], []])
  },
  'a circuit that turns is known to all, with when, why and by whom (G8)': async (scene) => {
    const before = await scene.store.settings()
    const { applied, circuit } = await scene.store.turnCircuit(opens)
    const { since, openedAt, probeAt, ...rest } = defined(circuit)
    assert.equal(applied, true)
    assert.deepEqual(rest, { dependency: 'bank', version: 1, state: 'open', reason: 'failures', actor: 'one' })
    assert.deepEqual([openedAt, probeAt], [since, since + 15_000])
    const after = await scene.store.settings()
    assert.deepEqual(only(after.circuits), circuit)
    assert.equal(after.version > before.version, true)
    assert.equal((await scene.beat('one')).settingsVersion, after.version)
  },
  'a circuit that has turned since it was seen is not turned: one node probes (G8)': async (scene) => {
    await scene.store.turnCircuit(opens)
    const probe = { ...opens, seen: 1, state: 'probing' } as const
    const asked = await Promise.all([
      scene.store.turnCircuit({ ...probe, actor: 'one' }),
      scene.store.turnCircuit({ ...probe, actor: 'two' }),
    ])
    assert.deepEqual(asked.map(({ applied }) => applied).sort(), [false, true])
    const [one, two] = asked
    assert.deepEqual(defined(one).circuit, defined(two).circuit)
    assert.equal(defined(defined(one).circuit).version, 2)
  },
  'of nodes that open it at the same time one does, and each time after that (G8)': async (scene) => {
    const before = await scene.store.settings()
    const stores = [scene.store, await scene.world.open()]
    const asking = ['one', 'two', 'three', 'four']
    for (let seen = 0; seen < 4; seen++) {
      const asked = await Promise.all(
        asking.map((actor, index) => defined(stores[index % 2]).turnCircuit({ ...opens, seen, actor })),
      )
      const turned = only(asked.filter(({ applied }) => applied))
      assert.equal(turned.circuit?.version, seen + 1)
      for (const { circuit } of asked) assert.deepEqual(circuit, turned.circuit)
    }
    // What turned nothing changed nothing.
    assert.equal((await scene.store.settings()).version, before.version + 4)
  },
  'of a circuit that is not there, or has not come so far, nothing is turned': async (scene) => {
    assert.deepEqual(await scene.store.turnCircuit({ ...opens, seen: 1 }), { applied: false, circuit: undefined })
    const { circuit } = await scene.store.turnCircuit(opens)
    assert.deepEqual(await scene.store.turnCircuit({ ...opens, seen: 2 }), { applied: false, circuit })
  },
  'a turn that is asked again is not made twice': async (scene) => {
    const first = await scene.store.turnCircuit(opens)
    const again = await scene.store.turnCircuit(opens)
    assert.deepEqual([again.applied, again.circuit], [false, first.circuit])
  },
  'an outage begins when calls stop, whatever probes there were': async (scene) => {
    const first = defined((await scene.store.turnCircuit(opens)).circuit)
    await scene.world.advance(5)
    await scene.store.turnCircuit({ ...opens, seen: 1, state: 'probing' })
    const again = defined((await scene.store.turnCircuit({ ...opens, seen: 2 })).circuit)
    assert.deepEqual([again.openedAt, again.since > first.since], [first.openedAt, true])
    const closed = defined((await scene.store.turnCircuit({ ...opens, seen: 3, state: 'closed' })).circuit)
    assert.deepEqual([closed.openedAt, closed.probeAt], [first.openedAt, undefined])
    await scene.world.advance(5)
    const next = defined((await scene.store.turnCircuit({ ...opens, seen: 4 })).circuit)
    assert.equal(next.openedAt, next.since)
  },
  'one that is held open says no time of a probe': async (scene) => {
    const held = await scene.store.turnCircuit({ ...opens, probeInMs: undefined, reason: 'maintenance', actor: 'ann' })
    assert.equal(defined(held.circuit).probeAt, undefined)
    assert.deepEqual(only((await scene.store.settings()).circuits), held.circuit)
  },
  'circuits of other dependencies are apart': async (scene) => {
    for (const dependency of ['post', 'bank', 'Zoo']) {
      assert.equal((await scene.store.turnCircuit({ ...opens, dependency })).applied, true)
    }
    const { circuits } = await scene.store.settings()
    assert.deepEqual(
      circuits.map(({ dependency, version }) => [dependency, version]),
      [
        ['Zoo', 1],
        ['bank', 1],
        ['post', 1],
      ],
    )
  },
  'limits are set in the place of the declared ones, until they are taken back': async (scene) => {
    const before = await scene.store.settings()
    const change = { verb: 'limit', what: 'dependency', name: 'bank', actor: 'ann', reason: 'sale' } as const
    const set = await scene.store.changeSetting({ ...change, rate: 12.5, concurrency: 3 })
    const { since: _since, ...limit } = only(set.limits)
    assert.deepEqual(limit, { dependency: 'bank', rate: 12.5, concurrency: 3, actor: 'ann', reason: 'sale' })
    assert.equal(set.version > before.version, true)
    assert.deepEqual(await scene.store.settings(), set)
    const replaced = await scene.store.changeSetting({ ...change, rate: 7 })
    assert.deepEqual([only(replaced.limits).rate, only(replaced.limits).concurrency], [7, undefined])
    const more = await scene.store.changeSetting({ ...change, name: 'Zoo', concurrency: 1 })
    assert.deepEqual(
      more.limits.map(({ dependency, rate, concurrency }) => [dependency, rate, concurrency]),
      [
        ['Zoo', undefined, 1],
        ['bank', 7, undefined],
      ],
    )
    await scene.store.changeSetting({ ...change, name: 'Zoo' })
    const taken = await scene.store.changeSetting(change)
    assert.deepEqual(taken.limits, [])
    assert.equal(taken.version > replaced.version, true)
    assert.equal((await scene.store.changeSetting(change)).version, taken.version)
  },
  'a dependency can be paused, as handlers and sources can': async (scene) => {
    const change = { verb: 'pause', what: 'dependency', name: 'bank', actor: 'ann' } as const
    const { what, name } = only((await scene.store.changeSetting(change)).paused)
    assert.deepEqual([what, name], ['dependency', 'bank'])
    assert.deepEqual((await scene.store.changeSetting({ ...change, verb: 'resume' })).paused, [])
  },
  'a parked run says for which dependency, and so does one that failed at it': async (scene) => {
    const [parked, failed] = [await scene.accept(), await scene.accept()]
    const state = { status: 'parked', reason: 'circuit_open', dueAt: 6_000, dependency: 'bank' } as const
    await scene.settle(scene.settlement(parked, state))
    const failing = { times: 2, since: 5_000 }
    await scene.settle(
      scene.settlement(failed, { ...state, status: 'scheduled', reason: 'retry', failures: 2, failing }),
    )
    assert.deepEqual((await scene.record(parked)).state, scene.state(state))
    const { dependency, failing: told } = (await scene.record(failed)).state ?? {}
    assert.deepEqual([dependency, told], ['bank', failing])
    const { runs } = await scene.store.searchRuns({ statuses: ['parked'], limit: 10 })
    assert.deepEqual(only(runs).run.event, parked.key)
    assert.equal((await scene.store.counts()).standing.parked, 1)
    const due = await scene.store.due([scene.owned(parked.shard)], Number.MAX_SAFE_INTEGER, 10)
    assert.deepEqual(
      due.runs.map(({ run }) => run.state?.dependency),
      ['bank', 'bank'],
    )
  },
})
