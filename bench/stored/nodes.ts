import { cpus } from 'node:os'
import { createHapax } from '../../src/index.ts'
import type { Measured } from '../measure.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { cpuSecondsUnder } from '../postgres/cost.ts'
import { counted } from '../works/events.ts'
import { Child } from './child.ts'

/** A whole life by so many nodes at once, each a process with as many producers as one alone has, and its part of the events. */
export const works: Works = {
  'one node': (bench) => lived(bench, 1),
  'two nodes': (bench) => lived(bench, 2),
  'four nodes': (bench) => lived(bench, 4),
}

async function lived(bench: Bench, count: number): Promise<Measured> {
  const migrated = await createHapax({ store: bench.url, migrate: 'auto', handlers: [counted().handler] })
  await migrated.stop()
  const share = (whole: number) => Math.ceil(whole / count)
  const nodes = new Nodes(Array.from({ length: count }, () => new Child('node.ts', [bench.url])))
  await nodes.all('ready')
  await nodes.run(share(bench.warmUp))
  await bench.settle()
  const cpu = () => ({
    server: cpuSecondsUnder(bench.options.serverPid === undefined ? [] : [bench.options.serverPid]),
    nodes: cpuSecondsUnder([process.pid]),
  })
  return bench.around(async () => {
    const before = cpu()
    const began = performance.now()
    const events = await nodes.run(share(bench.count))
    await nodes.stop()
    const seconds = (performance.now() - began) / 1_000
    const after = cpu()
    const [server, own] = [after.server - before.server, after.nodes - before.nodes]
    return {
      rate: events / seconds,
      serverSecondsPer1000: (server * 1_000) / events,
      nodesSecondsPer1000: (own * 1_000) / events,
      busyPercent: (100 * (server + own)) / seconds / cpus().length,
    }
  })
}

class Nodes {
  readonly #children: readonly Child[]
  readonly #ran: number[]
  #sent = 0

  constructor(children: readonly Child[]) {
    this.#children = children
    this.#ran = children.map(() => 0)
  }

  /** Each accepts so many; resolves when all are run, by whichever node, to their number. */
  async run(each: number): Promise<number> {
    const events = each * this.#children.length
    this.#sent += events
    for (const child of this.#children) child.tell(`accept ${each}`)
    await new Promise<void>((resolve) => {
      const isDone = () => this.#ran.reduce((sum, ran) => sum + ran, 0) >= this.#sent
      for (const [index, child] of this.#children.entries()) {
        child.hear((line) => {
          if (line.startsWith('ran ')) this.#ran[index] = Number(line.slice(4))
          if (isDone()) resolve()
        })
      }
    })
    return events
  }

  /** Every completion is durable when this resolves. They are left to their end: what it costs is theirs. */
  async stop(): Promise<void> {
    const stopped = this.all('stopped')
    for (const child of this.#children) child.tell('stop')
    await stopped
  }

  async all(word: string): Promise<void> {
    await Promise.all(this.#children.map((child) => child.said(word)))
  }
}
