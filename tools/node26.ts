import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Unit and conformance tests on Node 26, which sits in tools/node26. Arguments go to vitest. */
const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'tools/node26')
const bin = join(home, 'node_modules/.bin')
if (!existsSync(join(bin, 'node'))) {
  const installed = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: home, stdio: 'inherit' })
  if (installed.status !== 0) process.exit(1)
}
const path = `${bin}${delimiter}${process.env.PATH ?? ''}`
const tests = spawnSync(
  join(bin, 'node'),
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    'unit',
    '--project',
    'postgres',
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } },
)
process.exit(tests.status ?? 1)
