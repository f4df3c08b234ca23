import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createHapax, type Hapax, handler } from '../src/index.ts'
import { hmac } from '../src/sources/index.ts'
import { type TestWorld, testWorld } from '../src/testing/index.ts'

const page = readFileSync(new URL('../docs/guarantees.md', import.meta.url), 'utf8').replace(/\s+/g, ' ')
const folder = mkdtempSync(join(tmpdir(), 'hapax-guarantees-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const on = { source: 'shop', on: '*' } as const
const why = { reason: 'a test' }
const order = (id: string, more: object = {}) => ({
  source: 'shop',
  id,
  type: 'order.paid',
  data: { total: 5 },
  ...more,
})
const never = () => new Promise<never>(() => {})

let files = 0
const file = () => `sqlite:${join(folder, `${files++}.db`)}`

async function onFile<Result>(options: Parameters<typeof createHapax>[0], use: (hapax: Hapax) => Promise<Result>) {
  const hapax = await createHapax(options)
  try {
    return await use(hapax)
  } finally {
    await hapax.stop()
  }
}

async function inWorld(
  options: Parameters<typeof testWorld>[0],
  use: (world: TestWorld) => Promise<void>,
): Promise<void> {
  const world = await testWorld({ shards: 1, ...options })
  await use(world)
  await world.crash()
}

/** A promise of docs/guarantees.md, quoted, and what must hold for it. */
function promise(quote: string, proof: () => Promise<void>): void {
  it(quote, async () => {
    expect(page).toContain(quote)
    await proof()
  })
}

describe('G1', () => {
  promise('asking again with the same identity is always safe and gives the definite answer', async () => {
    const store = file()
    const first = await onFile({ store }, (hapax) => hapax.accept(order('1')))
    const again = await onFile({ store }, (hapax) => hapax.accept(order('1')))
    expect(first).toMatchObject({ outcome: 'accepted', durability: 'local-fsync' })
    expect(again).toMatchObject({ outcome: 'duplicate', event: first.event })
  })
})

describe('G2', () => {
  promise('exactly one is `accepted` while the identity is remembered', async () => {
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
  })

  promise('Verification comes before deduplication', async () => {
    const source = hmac({ name: 'shop', secret: 'secret', header: 'x-signature', id: { body: 'id' } })
    await onFile({ store: file(), sources: [source] }, async (hapax) => {
      const body = JSON.stringify({ id: '1' })
      const ask = (headers: Record<string, string>) =>
        hapax.fetch(new Request('http://localhost/in/shop', { method: 'POST', body, headers }))
      const signed = source.sign?.({ body: Buffer.from(body), nowMs: Date.now() }) ?? {}
      expect((await ask(signed)).status).toBe(202)
      expect((await ask(signed)).status).toBe(200)
      expect((await ask({ ...signed, 'x-signature': 'ab'.repeat(32) })).status).toBe(401)
    })
  })
})

describe('G3', () => {
  promise('No attempt begun after the checkpoint was durable runs that step again', async () => {
    let called = 0
    const failing = handler('failing', { ...on, retry: { attempts: 3, min: '1s' } }, async (_event, run) => {
      await run.step('once', () => ++called)
      if (run.attempt < 3) throw new TypeError('later')
    })
    await inWorld({ handlers: [failing] }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed' })
      expect(called).toBe(1)
    })
  })
})

describe('G4', () => {
  promise('effect and checkpoint commit together: exactly once', async () => {
    const writing = handler(
      'writing',
      { ...on, retry: { attempts: 3, min: '1ms', max: '1ms' } },
      async (_event, run) => {
        await run.transaction('ledger', (transaction) => {
          transaction.exec('create table if not exists booking (id text)')
          transaction.prepare('insert into booking values (?)').run('1')
          if (run.attempt === 1) throw new TypeError('rolled back')
        })
        if (run.attempt === 2) throw new TypeError('after the commit')
        return run.transaction('count', (transaction) => transaction.prepare('select count(*) as n from booking').get())
      },
    )
    await onFile({ store: file(), handlers: [writing] }, async (hapax) => {
      await hapax.start()
      const receipt = await hapax.accept(order('1'))
      expect(await hapax.runs.result(receipt.runs[0]?.id ?? '', { timeout: '20s' })).toEqual({ n: 1 })
    })
  })

  promise('marked `once` it is never repeated by the engine, its run becomes `unknown`', async () => {
    let called = 0
    const charging = handler('charging', on, (_event, run) =>
      run.step('charge', {
        once: true,
        run: () => {
          called++
          return never()
        },
      }),
    )
    await inWorld({ handlers: [charging] }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('1s')
      await world.crash()
      await world.node()
      await world.standing(receipt, 'unknown')
      expect(called).toBe(1)
    })
  })
})

describe('G5', () => {
  promise('or `ready` with reason `paused` or `behind` (the head is named)', async () => {
    const ordered = handler('ordered', { ...on, order: true }, (_event, run) => run.waitFor('go'))
    await inWorld({ handlers: [ordered] }, async (world) => {
      const [head, second] = [
        await world.hapax.accept(order('1', { orderKey: 'key' })),
        await world.hapax.accept(order('2', { orderKey: 'key' })),
      ]
      await world.standing(head, 'waiting')
      const [headRun = '', run = ''] = [head.runs[0]?.id, second.runs[0]?.id]
      expect(await world.hapax.runs.get(run)).toMatchObject({
        status: 'ready',
        held: { reason: 'behind', by: headRun },
      })
      await world.soon(world.hapax.controls.pause('handler', 'ordered', why))
      expect(await world.hapax.runs.get(run)).toMatchObject({ held: { reason: 'paused', by: 'handler ordered' } })
    })
  })

  promise('Orphans are taken over within lease + one poll', async () => {
    const running = handler('running', on, never)
    await inWorld({ handlers: [running], lease: '8s' }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('1s')
      await world.crash()
      await world.node([handler('running', on, () => 'done')])
      expect(await world.ended(receipt, '10s')).toMatchObject({ status: 'completed' })
    })
  })
})

describe('G6', () => {
  promise("Each takeover raises the pair's epoch", async () => {
    const released: (() => void)[] = []
    const slow = handler('slow', { ...on, timeout: '1h' }, (_event, run) => {
      const who = released.length === 0 ? 'the stale owner' : 'the new owner'
      return run.step('slow', {
        timeout: '1h',
        run: () => new Promise<string>((resolve) => released.push(() => resolve(who))),
      })
    })
    let cut = false
    const silenced = (store: Parameters<NonNullable<Parameters<typeof testWorld>[0]['wrapStore']>>[0]) => {
      const isFirst = !cut
      return new Proxy(store, {
        get: (target, name) => {
          if (name === 'own' && isFirst && cut) return never
          const member: unknown = Reflect.get(target, name)
          return typeof member === 'function' ? member.bind(target) : member
        },
      })
    }
    await inWorld({ handlers: [slow], wrapStore: silenced }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('1s')
      cut = true
      const second = await world.node()
      await world.until(() => released.length === 2, '1m')
      // The zombie's step ends first: its result is refused, the new owner's counts.
      for (const release of released) {
        release()
        await world.advance('1s')
      }
      const run = await second.runs.get(receipt.runs[0]?.id ?? '')
      expect(run).toMatchObject({ status: 'completed', steps: [{ value: '"the new owner"', epoch: 2 }] })
    })
  })
})

describe('G7', () => {
  promise("If one accept's receipt came before another was sent, it goes first", async () => {
    const seen: string[] = []
    const ordered = handler('ordered', { ...on, order: true }, ({ id }) => void seen.push(id))
    await inWorld({ handlers: [ordered], shards: 4 }, async (world) => {
      const ids = Array.from({ length: 20 }, (_, index) => String(index))
      for (const id of ids) await world.hapax.accept(order(id, { orderKey: 'key' }))
      await world.until(() => seen.length === ids.length)
      expect(seen).toEqual(ids)
    })
  })
})

describe('G8', () => {
  promise('Parking, deferring, pausing and shutdown cost no attempt', async () => {
    const { RetryLater } = await import('../src/index.ts')
    const deferring = handler('deferring', { ...on, retry: { attempts: 1 } }, (_event, run) => {
      if (run.attempt < 4) throw new RetryLater('1s')
      return run.attempt
    })
    await inWorld({ handlers: [deferring] }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
    })
  })
})

describe('G10', () => {
  promise('take nothing new, finish or hand back within the grace period', async () => {
    const hanging = handler('hanging', { ...on, timeout: '1h' }, never)
    await inWorld({ handlers: [hanging], grace: '5s' }, async (world) => {
      const receipt = await world.hapax.accept(order('1'))
      await world.advance('1s')
      const stopping = world.hapax.stop()
      await expect(world.hapax.accept(order('2'))).rejects.toMatchObject({ code: 'engine_stopped' })
      await world.soon(stopping, '10s')
      const next = await world.node([handler('hanging', on, () => 'done')])
      expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { losses: 0 } })
      await next.stop()
    })
  })
})

describe('G11', () => {
  promise('Keys, limits, queries, proofs, metrics and tokens are scoped by tenant', async () => {
    await onFile({ store: file() }, async (hapax) => {
      const [acme, bolt] = await Promise.all(['acme', 'bolt'].map((tenant) => hapax.accept(order('1', { tenant }))))
      expect([acme?.outcome, bolt?.outcome]).toEqual(['accepted', 'accepted'])
      const { events } = await hapax.events.list({ tenant: 'acme' })
      expect(events.map(({ key }) => key)).toEqual([acme?.event.key])
      const prints = await Promise.all([acme, bolt].map((receipt) => hapax.events.get(receipt?.event.key ?? '')))
      // The same content under each tenant's own key.
      expect(new Set(prints.map(({ event }) => event.fingerprint.hash)).size).toBe(2)
    })
  })
})
