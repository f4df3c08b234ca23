import assert from 'node:assert/strict'
import { handlerTag } from '../../event/handler-record.ts'
import type { OwnedCursor, TailPage } from '../../store/store.ts'
import { contractCases, manyNodes } from './contract-case.ts'
import { only, type Scene } from './scene.ts'

const keysOf = (page: TailPage): string[] => page.events.map(({ event }) => event.key)

/** The cursor of a shard's end: only what comes from now on is after it. */
async function atEnd(scene: Scene, shard = 0): Promise<number> {
  for (let cursor: number | undefined; ; ) {
    const owned = scene.owned(shard)
    const page = await scene.tail(cursor === undefined ? owned : { ...owned, cursor })
    cursor = page.cursor
    if (!page.more) return cursor
  }
}

/** What came to a pair. */
export const tailCases = contractCases(
  'tail',
  {
    'brings events of its shard alone, in order of position, each once (G5)': async (scene) => {
      const keys: string[] = []
      for (let index = 0; index < 10; index++) {
        const event = await scene.accept({ shard: index % 2 })
        if (event.shard === 0) keys.push(event.key)
      }
      const page = await scene.tail(scene.owned(0))
      assert.deepEqual(keysOf(page), keys)
      const positions = page.events.map(({ event }) => event.position)
      assert.deepEqual(
        positions,
        [...positions].sort((a, b) => a - b),
      )
      assert.deepEqual(keysOf(await scene.tail({ ...scene.owned(0), cursor: page.cursor })), [])
    },
    'a page that was cut says more, and its cursor goes on without a gap': async (scene) => {
      const keys: string[] = []
      for (let index = 0; index < 7; index++) keys.push((await scene.accept()).key)
      const read: string[] = []
      let page = await scene.tail(scene.owned(0), 3)
      for (;;) {
        assert.equal(page.events.length <= 3, true)
        read.push(...keysOf(page))
        if (!page.more) break
        page = await scene.tail({ ...scene.owned(0), cursor: page.cursor }, 3)
      }
      assert.deepEqual(read, keys)
    },
    'the limit is of all pages together, and no pair is skipped for good': async (scene) => {
      const keys = new Set<string>()
      for (let index = 0; index < 8; index++) keys.add((await scene.accept({ shard: index % 2 })).key)
      const cursors = new Map<number, number>()
      for (let calls = 0; keys.size > 0 && calls < 20; calls++) {
        const asked = [0, 1].map((shard) => {
          const cursor = cursors.get(shard)
          return cursor === undefined ? scene.owned(shard) : { ...scene.owned(shard), cursor }
        })
        const pages = await scene.store.tail({ cursors: asked, limit: 3 })
        assert.equal(pages.flatMap((page) => page.events).length <= 3, true)
        for (const page of pages) {
          cursors.set(page.shard, page.cursor)
          for (const key of keysOf(page)) assert.equal(keys.delete(key), true, 'an event came twice')
        }
      }
      assert.equal(keys.size, 0)
    },
    'answers page by page, in the order of the cursors': async (scene) => {
      const pages = await scene.store.tail({ cursors: [scene.owned(1), scene.owned(0)], limit: 10 })
      assert.deepEqual(
        pages.map((page) => page.shard),
        [1, 0],
      )
    },
    'what is committed after a page was read comes with the next (G5)': async (scene) => {
      const cursor = await atEnd(scene)
      const event = await scene.accept()
      assert.deepEqual(keysOf(await scene.tail({ ...scene.owned(0), cursor })), [event.key])
    },
    'a cursor never passes an event that was not yet read, while many nodes accept': async (scene) => {
      const stores = await Promise.all([0, 1, 2].map(() => scene.world.open()))
      const items = stores.map(() => Array.from({ length: 20 }, () => scene.item()))
      const read = new Set<string>()
      let writing = true
      // Before anybody writes: what these pages bring is thrown away.
      let cursor = await atEnd(scene)
      const reading = (async () => {
        for (let last = false; ; last = !writing) {
          const page = await scene.tail({ ...scene.owned(0), cursor }, 5)
          for (const key of keysOf(page)) read.add(key)
          cursor = page.cursor
          if (last && !page.more) return
          // A store that reads at once would never let the writers' answers in.
          await scene.world.advance(1)
        }
      })()
      await Promise.all(
        stores.map(async (store, index) => {
          for (const item of items[index] ?? []) await scene.tryAccept(item, store)
        }),
      )
      for (const item of items.flat()) await scene.store.event(item.key)
      writing = false
      await reading
      assert.deepEqual(read, new Set(items.flat().map((item) => item.key)))
    },
    'after a takeover every run that never settled is read again, with the steps that it left (G5)': async (scene) => {
      const event = await scene.accept()
      await scene.begin(scene.begun(event))
      await scene.checkpoint(scene.result(event, 'charge', { value: '"c1"' }))
      await scene.takeover()
      const [found] = (await scene.tail(scene.owned(0))).events
      assert.equal(found?.event.key, event.key)
      const run = only(found?.runs ?? [])
      assert.equal(run.state, undefined)
      assert.deepEqual(
        run.checkpoints.map(({ value }) => value),
        ['"c1"'],
      )
      assert.equal(run.begins.length, 1)
    },
    'after a takeover what is finished is not named as unfinished': async (scene) => {
      const [done, open] = [await scene.accept(), await scene.accept()]
      await scene.settle(scene.settlement(done))
      await scene.takeover()
      const page = await scene.tail(scene.owned(0))
      const unfinished = page.events.filter(({ runs }) => !runs.some((run) => run.state?.status === 'completed'))
      assert.deepEqual(
        unfinished.map(({ event }) => event.key),
        [open.key],
      )
    },
    'a takeover begins at the low mark: an event at it is read, one below it is not': async (scene) => {
      const events = [await scene.accept(), await scene.accept(), await scene.accept()]
      const [below, at, above] = events
      await scene.settle(scene.settlement(events[0] ?? assert.fail()))
      await scene.beat('one', { lowMarks: [{ ...scene.owned(0), position: at?.position ?? 0 }] })
      await scene.takeover()
      const keys = keysOf(await scene.tail(scene.owned(0)))
      assert.deepEqual(
        [below, at, above].map((event) => keys.includes(event?.key ?? '')),
        [false, true, true],
      )
    },
    'a low mark is never lowered': async (scene) => {
      const event = await scene.accept()
      await scene.settle(scene.settlement(event))
      const later = await scene.accept()
      await scene.beat('one', { lowMarks: [{ ...scene.owned(0), position: later.position }] })
      await scene.beat('one', { lowMarks: [{ ...scene.owned(0), position: 0 }] })
      await scene.takeover()
      assert.deepEqual(keysOf(await scene.tail(scene.owned(0))), [later.key])
    },
    'an event handed over with its answer is read by whoever takes over, if its node died (G5)': async (scene) => {
      await atEnd(scene)
      const event = await scene.accept({ handedTo: scene.owned(0) })
      await scene.takeover()
      assert.deepEqual(keysOf(await scene.tail(scene.owned(0))), [event.key])
    },
    'an event handed to another epoch comes by tail': async (scene) => {
      const cursor = await atEnd(scene)
      const event = await scene.accept({ handedTo: { ...scene.owned(0), epoch: scene.owned(0).epoch - 1 } })
      assert.deepEqual(keysOf(await scene.tail({ ...scene.owned(0), cursor })), [event.key])
    },
    'every group gets every event of a shard that it owns': async (scene) => {
      await scene.store.register('mail', 'mailer', [{ name: 'send', formerly: [], sources: ['*'], types: ['*'] }])
      await scene.beat('mailer', { group: 'mail', handlers: ['send'] })
      const { version } = await scene.store.registry()
      const event = await scene.accept({ registryVersion: version })
      await scene.settle(scene.settlement(event))
      const page = await scene.tail(scene.owned(0, 'mail'))
      assert.deepEqual(keysOf(page), [event.key])
      assert.deepEqual(only(page.events).runs, [])
    },
    'runs of other groups are not named': async (scene) => {
      await scene.store.register('mail', 'mailer', [{ name: 'send', formerly: [], sources: ['*'], types: ['*'] }])
      await scene.beat('mailer', { group: 'mail', handlers: ['send'] })
      const { version } = await scene.store.registry()
      const event = await scene.accept({ registryVersion: version })
      const owned = scene.owned(0, 'mail')
      const run = { ...scene.run(event), tag: handlerTag('mail', 'send') }
      await scene.begin({ ...scene.begun(event), owned, run })
      assert.deepEqual(only((await scene.tail(scene.owned(0))).events).runs, [])
      assert.equal(only((await scene.tail(owned)).events).runs.length, 1)
    },
    'says that work may have come, also to a node that did not commit it': async (scene) => {
      const other = await scene.world.open()
      let stop = () => {}
      const heard = new Promise<void>((resolve) => {
        stop = other.onWork(resolve)
      })
      await scene.accept()
      for (let waited = 0; waited < 40; waited++) {
        if (
          await Promise.race([heard.then(() => true), scene.world.advance(scene.world.leaseMs / 4).then(() => false)])
        )
          break
      }
      await heard
      stop()
    },
    'a beat never calls cursors quiet that have something to read, or were not read yet (G5)': async (scene) => {
      const stop = scene.store.onWork(() => {})
      const isQuiet = async (cursor: OwnedCursor) => (await scene.beat('one', { cursors: [cursor] })).quiet === true
      assert.equal(await isQuiet(scene.owned(0)), false)
      const event = await scene.accept({ handedTo: scene.owned(0) })
      const first = { ...scene.owned(0), cursor: await atEnd(scene) }
      await scene.accept()
      assert.equal(await isQuiet(first), false)
      const { cursor } = await scene.tail(first)
      const second = { ...scene.owned(0), cursor, asked: cursor }
      const ask = scene.ask(event)
      await scene.asked(ask)
      assert.equal(await isQuiet(second), false)
      const { asked } = await scene.tail(second)
      const third = { ...second, asked }
      if (await isQuiet(third)) assert.deepEqual((await scene.tail(third)).interventions, [])
      assert.equal(await isQuiet({ ...third, epoch: third.epoch - 1 }), false)
      stop()
    },
    'an intervention comes after the cursor, and no more once it is answered': async (scene) => {
      const event = await scene.accept()
      const cursor = await atEnd(scene)
      const ask = scene.ask(event)
      await scene.asked(ask)
      const page = await scene.tail({ ...scene.owned(0), cursor })
      assert.deepEqual(
        page.interventions.map(({ key, verb, actor, answer }) => ({ key, verb, actor, answer })),
        [{ key: ask.key, verb: 'cancel', actor: 'ann', answer: undefined }],
      )
      await scene.answer(ask, scene.owned(0))
      assert.deepEqual((await scene.tail({ ...scene.owned(0), cursor })).interventions, [])
      assert.deepEqual((await scene.tail({ ...scene.owned(0), cursor: page.cursor })).interventions, [])
    },
    'after a takeover every intervention that was not answered comes again, however old (G5)': async (scene) => {
      const event = await scene.accept()
      const [answered, open] = [scene.ask(event, { verb: 'retry' }), scene.ask(event)]
      await scene.asked(answered)
      await scene.asked(open)
      await scene.answer(answered, scene.owned(0))
      const cursor = await atEnd(scene)
      await scene.beat('one', { lowMarks: [{ ...scene.owned(0), position: cursor + 1 }] })
      await scene.takeover()
      const page = await scene.tail(scene.owned(0))
      assert.deepEqual(
        page.interventions.map(({ key }) => key),
        [open.key],
      )
    },
    'a page that was cut holds no intervention up, and each comes once (G5)': async (scene) => {
      for (let index = 0; index < 5; index++) await scene.accept()
      const event = await scene.accept()
      const ask = scene.ask(event)
      await scene.asked(ask)
      const cut = await scene.tail(scene.owned(0), 2)
      assert.deepEqual([cut.events.length, cut.more, only(cut.interventions).key], [2, true, ask.key])
      const next = { ...scene.owned(0), cursor: cut.cursor, asked: cut.asked }
      assert.deepEqual((await scene.tail(next, 2)).interventions, [])
    },
    'a limit of 0 brings interventions alone, and passes no event by': async (scene) => {
      const cursor = await atEnd(scene)
      const event = await scene.accept()
      await scene.asked(scene.ask(event))
      const none = await scene.tail({ ...scene.owned(0), cursor }, 0)
      assert.deepEqual([none.events.length, none.more, none.interventions.length], [0, true, 1])
      const next = await scene.tail({ ...scene.owned(0), cursor: none.cursor, asked: none.asked })
      assert.deepEqual([keysOf(next), next.interventions.length], [[event.key], 0])
    },
    'asked for all, it brings what is unfinished again, also what was handed over': async (scene) => {
      const cursor = await atEnd(scene)
      const [handed, done] = [await scene.accept({ handedTo: scene.owned(0) }), await scene.accept()]
      await scene.settle(scene.settlement(done))
      const all = await scene.tail({ ...scene.owned(0), cursor, all: true })
      assert.deepEqual([keysOf(all), all.more], [[handed.key], false])
    },
    'interventions come to the group of their run': async (scene) => {
      await scene.store.register('mail', 'mailer', [{ name: 'send', formerly: [], sources: ['*'], types: ['*'] }])
      await scene.beat('mailer', { group: 'mail', handlers: ['send'] })
      const event = await scene.accept()
      await scene.asked(scene.ask(event))
      await scene.asked(scene.ask(event, { verb: 'redrive', tag: handlerTag('mail', 'send') }))
      const [pay, mail] = [await scene.tail(scene.owned(0)), await scene.tail(scene.owned(0, 'mail'))]
      assert.deepEqual([only(pay.interventions).verb, only(mail.interventions).verb], ['cancel', 'redrive'])
    },
  },
  manyNodes,
)
