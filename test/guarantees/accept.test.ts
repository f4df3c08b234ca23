import { describe, expect } from 'vitest'
import { createHapax, handler } from '../../src/index.ts'
import { createEventsIngress } from '../../src/ingress/events-ingress.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { github, hmac } from '../../src/sources/index.ts'
import { memoryWorld } from '../../src/store/memory/index.ts'
import type { CommitResult } from '../../src/store/store.ts'
import { testWorld } from '../../src/testing/index.ts'
import { file, never, on, onFile, order, promise, storeWith } from './promise.ts'

const secret = 'a secret of tests'
const shop = hmac({ name: 'shop', secret, header: 'x-signature', id: { body: 'id' }, type: { body: 'type' } })
const request = (body: string, headers: Record<string, string>, name = 'shop') =>
  new Request(`http://localhost/in/${name}`, { method: 'POST', body, headers })
const signed = (source: typeof shop, body: string, more: { id?: string } = {}) =>
  source.sign?.({ body: Buffer.from(body), nowMs: systemClock.now(), ...more }) ?? {}

describe('G1', () => {
  promise(
    [
      "A receipt (`accepted`, `duplicate`, `conflict`), and a 2xx from the ingress (but for a provider's challenge), come only after the event is committed",
    ],
    async () => {
      const held: (() => void)[] = []
      const committed: string[] = []
      const store = storeWith(memoryWorld({ clock: systemClock }).connect(), 'commit', (target) => async (batch) => {
        if ((batch.accept ?? []).length > 0) await new Promise<void>((resolve) => held.push(resolve))
        const result = await target.commit(batch)
        if ((batch.accept ?? []).length > 0) committed.push('committed')
        return result
      })
      await onFile({ store, sources: [shop] }, async (hapax) => {
        const body = JSON.stringify({ id: '1' })
        const ways: (() => Promise<string>)[] = [
          async () => (await hapax.accept(order('library'))).outcome,
          async () => (await hapax.accept(order('library'))).outcome,
          async () => (await hapax.accept(order('library', { data: 'other' }))).outcome,
          async () => String((await hapax.fetch(request(body, signed(shop, body)))).status),
        ]
        for (const [at, way] of ways.entries()) {
          const answer = way().then((outcome) => committed.push(outcome))
          await expect.poll(() => held.length).toBe(1)
          expect(committed).toHaveLength(2 * at)
          held.pop()?.()
          await answer
        }
        const each = ['accepted', 'duplicate', 'conflict', '202']
        expect(committed).toEqual(each.flatMap((outcome) => ['committed', outcome]))
      })
    },
  )

  promise(['and name the durability they got', '`local-fsync`', '`relaxed`'], async () => {
    const durabilities = await Promise.all(
      [file(), 'memory:'].map((store) =>
        onFile({ store }, async (hapax) => (await hapax.accept(order('1'))).durability),
      ),
    )
    expect(durabilities).toEqual(['local-fsync', 'relaxed'])
  })

  promise(
    ['No receipt says nothing', 'asking again with the same identity is always safe and gives the definite answer'],
    async () => {
      // The node dies before, or after, the commit of the accept: either way the sender knows nothing.
      for (const applied of [false, true]) {
        let died = false
        const world = await testWorld({
          handlers: [handler('any', on, () => 'done')],
          wrapStore: (store) =>
            storeWith(store, 'commit', (target) => async (batch): Promise<CommitResult> => {
              if (died || (batch.accept ?? []).length === 0) return target.commit(batch)
              died = true
              if (applied) await target.commit(batch)
              await world.crash()
              return never()
            }),
        })
        void world.hapax.accept(order('1'))
        await world.until(() => died)
        const next = await world.node()
        const first = await world.soon(next.accept(order('1')))
        expect(first.outcome).toBe(applied ? 'duplicate' : 'accepted')
        expect(await world.soon(next.accept(order('1')))).toMatchObject({ outcome: 'duplicate', event: first.event })
        expect((await next.events.list({})).events).toHaveLength(1)
        await world.close()
      }
    },
  )
})

describe('G2', () => {
  promise(
    'Of all accepts of an identity, on any number of nodes, exactly one is `accepted` while the identity is remembered',
    async () => {
      const store = file()
      const nodes = await Promise.all([createHapax({ store }), createHapax({ store }), createHapax({ store })])
      const receipts = await Promise.all(
        Array.from({ length: 60 }, (_, index) => nodes[index % 3]?.accept(order('1', { data: { total: index % 2 } }))),
      )
      const outcomes = receipts.map((receipt) => receipt?.outcome)
      expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'duplicate')).toHaveLength(29)
      expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(30)
      await Promise.all(nodes.map((node) => node.stop()))
    },
  )

  promise(
    "the others are `duplicate` (with the original's receipt and status) or `conflict`, and on record",
    async () => {
      const world = await testWorld({ handlers: [handler('any', on, () => 'done')] })
      const first = await world.hapax.accept(order('1'))
      await world.ended(first)
      const { outcome: _, ...original } = first
      const runs = [{ ...first.runs[0], status: 'completed' }]
      expect(await world.hapax.accept(order('1'))).toMatchObject({ ...original, outcome: 'duplicate', runs })
      expect(await world.hapax.accept(order('1', { data: 6 }))).toMatchObject({
        outcome: 'conflict',
        event: first.event,
      })
      const kinds = (await world.hapax.events.history(first.event.key)).map(({ kind }) => kind)
      expect(kinds).toEqual(expect.arrayContaining(['accepted', 'duplicate', 'conflict']))
      await world.close()
    },
  )

  promise(['Verification comes before deduplication', 'identity comes from signed bytes'], async () => {
    await onFile({ store: file(), sources: [shop] }, async (hapax) => {
      const body = JSON.stringify({ id: '1' })
      const headers = signed(shop, body)
      const ask = async (text: string, more: Record<string, string> = {}) =>
        (await hapax.fetch(request(text, { ...headers, ...more }))).status
      expect([await ask(body), await ask(body)]).toEqual([202, 200])
      expect(await ask(body, { 'x-signature': 'ab'.repeat(32) })).toBe(401)
      // Another id is another body, which nobody signed; in a header nobody looks for one.
      expect(await ask(JSON.stringify({ id: '2' }))).toBe(401)
      expect(await ask(body, { 'idempotency-key': '2', id: '2' })).toBe(200)
    })
  })

  promise('(an unsigned id is also checked by content)', async () => {
    const hub = github({ secret })
    await onFile({ store: file(), sources: [hub] }, async (hapax) => {
      const send = async (id: string, body: string) => {
        const answer = await hapax.fetch(request(body, signed(hub, body, { id }), 'github'))
        return JSON.parse(await answer.text())
      }
      expect(await send('one', '{"a":1}')).toMatchObject({ outcome: 'accepted' })
      expect(await send('two', '{"a":1}')).toMatchObject({ outcome: 'duplicate', reason: 'same_signed_content' })
      expect(await send('three', '{"a":2}')).toMatchObject({ outcome: 'accepted' })
    })
  })

  promise('every way in uses this one path', async () => {
    await onFile({ store: file(), sources: [shop] }, async (hapax) => {
      const body = JSON.stringify({ id: '1' })
      const type = { contentType: 'application/json', body: Buffer.from(body), type: 'hmac' }
      const viaIngress = await hapax.fetch(request(body, signed(shop, body)))
      const { outcome, event } = JSON.parse(await viaIngress.text())
      expect(outcome).toBe('accepted')
      expect(await hapax.accept({ source: 'shop', id: '1', ...type })).toMatchObject({ outcome: 'duplicate', event })

      const receive = createEventsIngress({ sources: [], accept: hapax.accept })
      const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': 'shop', 'ce-type': 'hmac' }
      const viaEvents = await receive({ headers: { ...headers, 'content-type': 'application/json' }, body: type.body })
      expect(JSON.parse(viaEvents.body)).toMatchObject({ outcome: 'duplicate', event })
    })
  })
})

describe('G11', () => {
  promise(['Keys', 'queries'], async () => {
    await onFile({ store: file() }, async (hapax) => {
      const [acme, bolt] = await Promise.all(['acme', 'bolt'].map((tenant) => hapax.accept(order('1', { tenant }))))
      expect([acme?.outcome, bolt?.outcome]).toEqual(['accepted', 'accepted'])
      const { events } = await hapax.events.list({ tenant: 'acme' })
      expect(events.map(({ key }) => key)).toEqual([acme?.event.key])
      const prints = await Promise.all([acme, bolt].map((receipt) => hapax.events.get(receipt?.event.key ?? '')))
      // The same content under each tenant's own key.
      expect(new Set(prints.map(({ event }) => event.fingerprint?.hash)).size).toBe(2)
    })
  })
})
