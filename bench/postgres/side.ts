import { parseArgs } from 'node:util'
import { Bench, type Works, workNames } from './contestant.ts'

/**
 * One side of one pair, in a process of its own: `node bench/postgres/side.ts MODULE WORK URL COUNT [--pid N] [--stored] …`;
 * prints what it measured as its last line.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    pid: { type: 'string' },
    stored: { type: 'boolean', default: false },
    held: { type: 'string', default: '0' },
    pairs: { type: 'string', default: '1' },
    profile: { type: 'boolean', default: false },
  },
})
const [module = '', wanted = '', url = '', count = '0'] = positionals
const work = workNames.find((name) => name === wanted)
// By name: a peer's packages are installed only where peers are measured.
const { works }: { readonly works: Works } = await import(new URL(module, import.meta.url).href)
const run = work && works[work]
if (!run) {
  console.error(`${module} has no work ${wanted}: ${Object.keys(works).join(', ')}.`)
  process.exit(2)
}
const bench = await Bench.open(url, Number(count), {
  serverPid: values.pid === undefined ? undefined : Number(values.pid),
  stored: values.stored,
  heldMs: Number(values.held),
  pairs: Number(values.pairs),
  profile: values.profile,
})
const measured = await run(bench)
await bench.close()
console.log(`\n${JSON.stringify(measured)}`)
// Libraries of peers may leave timers and sockets behind.
process.exit(0)
