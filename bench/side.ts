import { parseArgs } from 'node:util'
import { type SideName, sides } from './works/sides.ts'

/** One side of one pair, in a process of its own: `node bench/side.ts NAME FILE COUNT`; prints what it measured. */
const { positionals } = parseArgs({ allowPositionals: true })
const [name = '', file = '', count = '0'] = positionals
if (!(name in sides)) {
  console.error(`There is no side ${name}: ${Object.keys(sides).join(', ')}.`)
  process.exit(2)
}
console.log(JSON.stringify(await sides[name as SideName]({ file, count: Number(count) })))
