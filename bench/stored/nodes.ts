import { cpus } from 'node:os'
import { createHapax } from '../../src/index.ts'
import { type Measured, producers } from '../measure.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { cpuSecondsUnder } from '../postgres/cost.ts'
import { counted } from '../works/events.ts'
import { Child } from './child.ts'

/** A whole life by so many nodes at once, each a process, with the events and the producers shared among them. */
export const works: Works = {
  'one node': (bench) => lived(bench, 1),
  'two nodes': (bench) => lived(bench, 2),
  'four nodes': (bench) => lived(bench, 4),
}

async function lived(bench: Bench, nodes: number): Promise<Measured> {
  const migrated = await createHapax({ store: bench.url, migrate: 'auto', handlers: [counted().handler] })
  await migrated.stop()
  const share = (whole: number) => String(Math.ceil(whole / nodes))
  const args = [bench.url, share(bench.warmUp), share(bench.count), share(producers)]
  const children = Array.from({ length: nodes }, () => new Child('node.ts', args))
  await Promise.all(children.map((child) => child.said('ready')))
  await bench.settle()
  const cpu = () => {
    const server = cpuSecondsUnder(bench.options.serverPid === undefined ? [] : [bench.options.serverPid])
    return { server, nodes: cpuSecondsUnder([process.pid]) }
  }
  const before = cpu()
  const measured = await bench.around(async () => {
    for (const child of children) child.tell('go')
    const spans = await Promise.all(children.map((child) => child.said('done')))
    const times = spans.map((span) => span.split(' ').map(Number))
    const seconds = Math.max(...times.map(([, end = 0]) => end)) - Math.min(...times.map(([begin = 0]) => begin))
    const after = cpu()
    const per1000 = (seconds: number) => (seconds * 1_000) / bench.count
    const [server, own] = [after.server - before.server, after.nodes - before.nodes]
    return {
      rate: bench.count / seconds,
      serverSecondsPer1000: per1000(server),
      nodesSecondsPer1000: per1000(own),
      busyPercent: (100 * (server + own)) / seconds / cpus().length,
    }
  })
  await Promise.all(children.map((child) => child.end(undefined)))
  return measured
}
