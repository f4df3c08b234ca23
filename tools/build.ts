import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync } from 'node:fs'

const root = new URL('..', import.meta.url)
rmSync(new URL('dist', root), { recursive: true, force: true })
const compiled = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (compiled.status !== 0) process.exit(compiled.status ?? 1)
// The compiler leaves data behind.
cpSync(new URL('src/cli/fixtures', root), new URL('dist/cli/fixtures', root), {
  recursive: true,
  filter: (path) => !path.endsWith('.ts'),
})
chmodSync(new URL('dist/cli/main.js', root), 0o755)
