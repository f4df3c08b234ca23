import { parseArgs } from 'node:util'
import { Mutants } from './mutant-runner.ts'
import { mutations } from './mutations.ts'
import { driverMutations } from './postgres/mutations.ts'
import { simulatedServer } from './postgres/setting.ts'

/**
 * `npm run simulate:mutants`: each seeded bug must be caught by the invariant meant for it, near the seed that caught it
 * before. `--store postgres` plants those of the PostgreSQL driver. `--search N` looks for the first seed from 1 instead, among N.
 */
const { values } = parseArgs({
  options: {
    search: { type: 'string' },
    only: { type: 'string' },
    store: { type: 'string', default: 'memory' },
  },
})
const server = values.store === 'postgres' ? await simulatedServer() : undefined
const all = server ? driverMutations : mutations
const chosen = all.filter((mutation) => values.only === undefined || mutation.name.includes(values.only))
const mutants = new Mutants(server?.url)
let survived = 0
try {
  for (const mutation of chosen) {
    const { seed, others } = await mutants.run(
      mutation,
      values.search === undefined ? undefined : Number(values.search),
    )
    if (seed === undefined) survived++
    const found = seed === undefined ? 'SURVIVED' : `seed ${String(seed).padStart(5)}`
    const beside = others.length > 0 ? `  also ${others.join(' ')}` : ''
    console.log(`${found.padEnd(12)} ${mutation.killedBy.padEnd(18)} ${mutation.name}${beside}`)
  }
} finally {
  mutants.close()
  await server?.stop()
}
console.log(`${chosen.length - survived} of ${chosen.length} seeded bugs caught by the invariant meant for them`)
if (survived > 0) process.exitCode = 1
