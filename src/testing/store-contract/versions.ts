import assert from 'node:assert/strict'
import type { VersionScope } from '../../store/version-scope.ts'
import { contractCases } from './contract-case.ts'
import { defined, type Scene } from './scene.ts'

function scopeOf({ tag }: Scene, over: Partial<VersionScope> = {}): VersionScope {
  return { tag, tenant: 'default', key: 'product 7', ...over }
}

/** When all that was raised before has passed, by the store's clock. */
async function later(scene: Scene): Promise<number> {
  await scene.world.advance(5)
  return (await scene.beat('one')).now
}

async function purgeAll(scene: Scene, identitiesBefore: number, rows = 100): Promise<void> {
  for (let idle = 0, sweeps = 0; idle < 3 && sweeps < 50; sweeps++) {
    const { more } = await scene.store.purge({ payloadsBefore: 0, journalBefore: 0, identitiesBefore, rows })
    idle = more ? 0 : idle + 1
  }
}

/** The newest version that was processed, for handlers that drop what is older. */
export const versionCases = contractCases('versions', {
  'of a key that none was raised of there is none': async (scene) => {
    assert.equal(await scene.store.newestVersion(scopeOf(scene)), undefined)
  },
  'a raise keeps the greater by bytes, and says which that is; asked again it changes nothing': async (scene) => {
    const scope = scopeOf(scene)
    for (const [version, newest] of [
      ['n2b', 'n2b'],
      ['n2b', 'n2b'],
      ['n2a', 'n2b'],
      ['n2', 'n2b'],
      ['n2b0', 'n2b0'],
      ['s', 's'],
      ['sZ', 'sZ'],
      ['sa', 'sa'],
      ['sB', 'sa'],
      // In the order of UTF-16, and in that of most languages, these would be otherwise.
      ['s\uffee', 's\uffee'],
      ['s\u{1f600}', 's\u{1f600}'],
      ['s\uffef', 's\u{1f600}'],
      ['s\u00e4', 's\u{1f600}'],
    ] as const) {
      assert.equal(await scene.store.raiseVersion(scope, version), newest)
      assert.equal(await scene.store.newestVersion(scope), newest)
    }
  },
  'of raises at the same time, by several nodes, the greatest stays': async (scene) => {
    const scope = scopeOf(scene)
    const stores = [scene.store, await scene.world.open()]
    const versions = ['n25', 'n29', 'n21', 'n27', 'n23', 'n28', 'n22', 'n26']
    const answers = await Promise.all(
      versions.map((version, index) => defined(stores[index % 2]).raiseVersion(scope, version)),
    )
    for (const [index, answer] of answers.entries()) assert.equal(answer >= defined(versions[index]), true)
    for (const store of stores) assert.equal(await store.newestVersion(scope), 'n29')
  },
  'handlers, tenants and keys are apart (G11)': async (scene) => {
    const scopes = [
      scopeOf(scene),
      scopeOf(scene, { tag: 'zzzzzzzz' }),
      scopeOf(scene, { tenant: 'acme' }),
      scopeOf(scene, { key: 'product 77' }),
      scopeOf(scene, { key: '' }),
      scopeOf(scene, { tenant: 'é'.repeat(127), key: '\u{1f600}'.repeat(63) }),
    ]
    for (const [index, scope] of scopes.entries()) {
      assert.equal(await scene.store.newestVersion(scope), undefined)
      assert.equal(await scene.store.raiseVersion(scope, `n2${9 - index}`), `n2${9 - index}`)
    }
    for (const [index, scope] of scopes.entries()) {
      assert.equal(await scene.store.newestVersion(scope), `n2${9 - index}`)
    }
  },
  'a version that was answered is there after a restart': async (scene) => {
    await scene.store.raiseVersion(scopeOf(scene), 'n27')
    const store = await scene.world.restart()
    assert.equal(await store.newestVersion(scopeOf(scene)), 'n27')
    assert.equal(await store.raiseVersion(scopeOf(scene), 'n26'), 'n27')
  },
  'retention drops what was not raised since, and nothing else': async (scene) => {
    const [old, raised, repeated] = ['old', 'raised', 'repeated'].map((key) => scopeOf(scene, { key }))
    for (const scope of [old, raised, repeated]) await scene.store.raiseVersion(defined(scope), 'n21')
    const before = await later(scene)
    await scene.store.raiseVersion(defined(raised), 'n22')
    // What raises nothing leaves its time as it was.
    await scene.store.raiseVersion(defined(repeated), 'n21')
    await purgeAll(scene, 0)
    assert.equal(await scene.store.newestVersion(defined(old)), 'n21')
    await purgeAll(scene, before)
    assert.equal(await scene.store.newestVersion(defined(old)), undefined)
    assert.equal(await scene.store.newestVersion(defined(repeated)), undefined)
    assert.equal(await scene.store.newestVersion(defined(raised)), 'n22')
    assert.equal(await scene.store.raiseVersion(defined(old), 'n20'), 'n20')
  },
  'retention drops at most so many in one call, says that there are more, and comes to all': async (scene) => {
    const scopes = Array.from({ length: 40 }, (_, index) => scopeOf(scene, { key: `k${index}` }))
    for (const scope of scopes) await scene.store.raiseVersion(scope, 'n21')
    const old = scopes.filter((_, index) => index >= 30)
    const before = await later(scene)
    for (const scope of scopes.slice(0, 30)) await scene.store.raiseVersion(scope, 'n22')
    const left = async () => {
      const newest = await Promise.all(old.map((scope) => scene.store.newestVersion(scope)))
      return newest.filter((version) => version !== undefined).length
    }
    const request = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: before, rows: 2 }
    let most = 0
    for (let sweeps = 0; sweeps < 30; sweeps++) {
      const there = await left()
      const { more = false } = await scene.store.purge(request)
      const dropped = there - (await left())
      most = Math.max(most, dropped)
      if (dropped === 2 && there > 2) assert.equal(more, true)
    }
    assert.deepEqual([most, await left()], [2, 0])
    for (const scope of scopes.slice(0, 30)) assert.equal(await scene.store.newestVersion(scope), 'n22')
  },
})
