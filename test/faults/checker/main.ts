import { readFileSync } from 'node:fs'
import { violationsOf } from './rules.ts'

/**
 * `node main.ts FOLDER`: reads what the witnesses wrote, tells each violation on a line of its own, and exits with 1 if
 * there is one. It imports nothing of the product, so that no mistake of the product can be shared by its judge.
 */
const folder = process.argv[2] ?? '.'
const lines = (name: string) =>
  readFileSync(`${folder}/${name}.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

const found = violationsOf({ ledger: lines('ledger'), effects: lines('effects'), record: lines('record') })
for (const violation of found) console.log(JSON.stringify(violation))
process.exitCode = found.length === 0 ? 0 : 1
