import { drawPlan } from './workload.ts'
import { simulate } from './world.ts'

const seed = Number(process.argv[2] ?? 1)
const many = Number(process.argv[3] ?? 1)
const tells = process.argv[4] === 'tell'
const t = process.hrtime.bigint()
let steps = 0
for (let s = seed; s < seed + many; s++) {
  const outcome = await simulate(drawPlan(s), { tells })
  steps += outcome.steps
  if (tells) console.log(outcome.story.join('\n'))
  if (outcome.violations.length) console.log(s, outcome.violations[0])
}
console.error(Number(process.hrtime.bigint() - t) / 1e6 / many, 'ms a seed', steps / many, 'steps')
