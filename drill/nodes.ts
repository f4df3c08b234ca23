import { Child } from './child.ts'
import type { Judged, NodeSetup } from './drill-node.ts'
import type { LoadPlan } from './load.ts'
import type { NodeVerbs } from './node.ts'

/** The nodes of a drill, each a process of its own. */
export class Nodes {
  readonly #children: readonly Child<NodeVerbs>[]

  private constructor(children: readonly Child<NodeVerbs>[]) {
    this.#children = children
  }

  /** Opens so many on one store; the first makes it. Resolves when each has shards. */
  static async open(count: number, setup: Omit<NodeSetup, 'name'>): Promise<Nodes> {
    const children = Array.from({ length: count }, () => new Child<NodeVerbs>('node.ts'))
    for (const [index, child] of children.entries()) await child.ask('open', { ...setup, name: `n${index + 1}` })
    const nodes = new Nodes(children)
    await nodes.#all((child) => child.ask('settled'))
    return nodes
  }

  /** So much over all of them. */
  async load({ calling, apart }: LoadPlan): Promise<number> {
    const { length } = this.#children
    const plan = { calling: calling / length, apart: apart / length }
    return Math.min(...(await this.#all((child) => child.ask('load', plan))))
  }

  async burst(count: number): Promise<void> {
    await this.#all((child) => child.ask('burst', Math.ceil(count / this.#children.length)))
  }

  async loadNoMore(): Promise<void> {
    await this.#all((child) => child.ask('loadNoMore'))
  }

  async count() {
    const counts = await this.#all((child) => child.ask('count'))
    const sum = (of: (one: (typeof counts)[number]) => number) => counts.reduce((all, one) => all + of(one), 0)
    return {
      accepted: sum(({ accepted }) => accepted),
      done: sum(({ done }) => done),
      rssBytes: Math.max(...counts.map(({ rssBytes }) => rssBytes)),
    }
  }

  async limit(rate: number): Promise<void> {
    await this.#children[0]?.ask('limit', rate)
  }

  /** All that they saw, in the order of time. */
  async told() {
    const all = await this.#all((child) => child.ask('told'))
    const sum = (name: keyof (typeof all)[number]['store']) => all.reduce((total, { store }) => total + store[name], 0)
    return {
      accepted: new Map(all.flatMap(({ accepted }) => accepted)),
      refused: all.reduce((total, { refused }) => total + refused, 0),
      apart: all.flatMap(({ apart }) => apart),
      turns: all.flatMap(({ turns }) => turns).sort((one, other) => one.atMs - other.atMs),
      store: {
        beats: sum('beats'),
        hurried: sum('hurried'),
        settlements: sum('settlements'),
        parked: sum('parked'),
      },
    }
  }

  async judge(): Promise<Judged> {
    const all = await this.#all((child) => child.ask('judge'))
    const sum = (name: 'accepted' | 'lost' | 'attemptsBurnt') => all.reduce((total, one) => total + one[name], 0)
    return {
      accepted: sum('accepted'),
      lost: sum('lost'),
      attemptsBurnt: sum('attemptsBurnt'),
      examples: all.flatMap(({ examples }) => examples).slice(0, 5),
    }
  }

  /** Stops them, and ends their processes. */
  async stop(): Promise<void> {
    await this.#all((child) => child.ask('stop'))
    await this.end()
  }

  /** Ends their processes, however they stand. */
  async end(): Promise<void> {
    await this.#all((child) => child.end())
  }

  #all<Answer>(ask: (child: Child<NodeVerbs>) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.#children.map(ask))
  }
}
