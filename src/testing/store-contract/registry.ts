import assert from 'node:assert/strict'
import { handlerTag } from '../../event/handler-record.ts'
import { contractCases } from './contract-case.ts'
import { only } from './scene.ts'

const settle = { name: 'settle', formerly: [], sources: ['shop'], types: ['*'] }
const refund = { name: 'refund', formerly: [], sources: ['shop'], types: ['order.refunded'] }

/** Handlers, secrets and settings. */
export const registryCases = contractCases('registry', {
  'a handler enters at the next version, and the same list again changes nothing': async (scene) => {
    const before = await scene.store.registry()
    const after = await scene.store.register('pay', 'one', [settle, refund])
    assert.equal(after.version, before.version + 1)
    const found = only(after.handlers.filter((handler) => handler.name === 'refund'))
    const { firstSeenAt: _at, ...record } = found
    const { formerly: _formerly, ...declared } = refund
    const tag = handlerTag('pay', 'refund')
    assert.deepEqual(record, { ...declared, group: 'pay', tag, sinceVersion: after.version, untilVersion: undefined })
    assert.deepEqual(await scene.store.register('pay', 'one', [settle, refund]), after)
    assert.deepEqual(await scene.store.registry(), after)
  },
  'a handler that changed in what it takes leaves and enters under the same tag': async (scene) => {
    const { version } = await scene.store.register('pay', 'one', [{ ...settle, types: ['order.*'] }])
    const { handlers } = await scene.store.registry()
    assert.deepEqual(
      handlers.map(({ tag, types, untilVersion }) => [tag, types[0], untilVersion]),
      [
        [scene.tag, '*', version],
        [scene.tag, 'order.*', undefined],
      ],
    )
  },
  'a handler that nobody names any more leaves, and may come back under its tag': async (scene) => {
    const left = await scene.store.register('pay', 'one', [])
    assert.equal(only(left.handlers).untilVersion, left.version)
    const back = await scene.store.register('pay', 'one', [settle])
    const open = only(back.handlers.filter((handler) => handler.untilVersion === undefined))
    assert.deepEqual([open.tag, open.sinceVersion], [scene.tag, back.version])
  },
  'a handler that another live node of the group names stays': async (scene) => {
    await scene.beat('one')
    const { handlers } = await scene.store.register('pay', 'two', [refund])
    const open = handlers.filter((handler) => handler.untilVersion === undefined).map(({ name }) => name)
    assert.deepEqual(open.sort(), ['refund', 'settle'])
  },
  'a node that has registered counts as live before its first beat': async (scene) => {
    await scene.store.register('pay', 'two', [settle, refund])
    const { handlers } = await scene.store.register('pay', 'three', [settle])
    const open = handlers.filter((handler) => handler.untilVersion === undefined).map(({ name }) => name)
    assert.deepEqual(open.sort(), ['refund', 'settle'])
  },
  'a renamed handler keeps its tag': async (scene) => {
    const { handlers } = await scene.store.register('pay', 'one', [{ ...settle, name: 'book', formerly: ['settle'] }])
    const open = only(handlers.filter((handler) => handler.untilVersion === undefined))
    assert.deepEqual([open.name, open.tag], ['book', scene.tag])
  },
  'groups have handlers of one name apart': async (scene) => {
    const { handlers } = await scene.store.register('mail', 'mailer', [settle])
    const open = handlers.filter((handler) => handler.untilVersion === undefined)
    assert.deepEqual(open.map(({ group }) => group).sort(), ['mail', 'pay'])
    assert.equal(new Set(open.map(({ tag }) => tag)).size, 2)
  },
  'a secret is write-once': async (scene) => {
    assert.deepEqual([...(await scene.store.secret('key', new Uint8Array([1, 2])))], [1, 2])
    assert.deepEqual([...(await scene.store.secret('key', new Uint8Array([3])))], [1, 2])
    assert.deepEqual([...(await scene.store.secret('other', new Uint8Array([3])))], [3])
  },
  'a pause is kept with who, when and why, until it is resumed': async (scene) => {
    const before = await scene.store.settings()
    assert.deepEqual(before.paused, [])
    const change = { verb: 'pause', what: 'source', name: 'shop', actor: 'ann', reason: 'outage' } as const
    const paused = await scene.store.changeSetting(change)
    const { since: _since, ...pause } = only(paused.paused)
    assert.deepEqual(pause, { what: 'source', name: 'shop', actor: 'ann', reason: 'outage' })
    assert.equal(paused.version, before.version + 1)
    assert.deepEqual(await scene.store.settings(), paused)
    const resumed = await scene.store.changeSetting({ verb: 'resume', what: 'source', name: 'shop', actor: 'bob' })
    assert.deepEqual(resumed.paused, [])
    assert.equal(resumed.version, paused.version + 1)
  },
  'a pause that is there stays as it was': async (scene) => {
    const first = await scene.store.changeSetting({ verb: 'pause', what: 'handler', name: 'settle', actor: 'ann' })
    const second = await scene.store.changeSetting({ verb: 'pause', what: 'handler', name: 'settle', actor: 'bob' })
    assert.deepEqual(second, first)
  },
  'handler and source of one name are paused apart': async (scene) => {
    await scene.store.changeSetting({ verb: 'pause', what: 'handler', name: 'shop', actor: 'ann' })
    await scene.store.changeSetting({ verb: 'resume', what: 'source', name: 'shop', actor: 'ann' })
    assert.equal((await scene.store.settings()).paused.length, 1)
  },
})
