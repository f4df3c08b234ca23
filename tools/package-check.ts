import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { documented, publicTypes } from './public-types.ts'

/**
 * The package as users get it: its exports against its files, its types as others' compilers see them, and a tarball
 * installed in an empty project that runs the README's example, loading no third-party module on the way.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'hapax-package-'))

function run(what: string, command: string, args: readonly string[], cwd: string): string {
  const done = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, npm_config_loglevel: 'error' },
  })
  if (done.status === 0) return done.stdout
  console.error(`${what} failed:\n${done.stdout}\n${done.stderr}`)
  process.exit(1)
}

/** Whoever holds a value of the package can name its type, and read what it is. */
function checkDeclarations(): void {
  const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.d.ts'))
    .map((path) => ({ path: `dist/${path}`, text: readFileSync(join(root, 'dist', path), 'utf8') }))
  const { exports: doors }: { exports: Record<string, string | { types: string }> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const paths = Object.values(doors).flatMap((door) => (typeof door === 'string' ? [] : [door.types.slice(2)]))
  const breaches = [...publicTypes(files, paths), ...documented(files, paths)]
  for (const { path, says } of breaches) console.error(`${path}: ${says}`)
  if (breaches.length > 0) process.exit(1)
}

try {
  run('build', process.execPath, ['tools/build.ts'], root)
  checkDeclarations()
  const packed: [{ filename: string; files: { path: string }[]; size: number }] = JSON.parse(
    run('pack', 'npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], root),
  )
  const tarball = join(work, packed[0].filename)
  const strange = packed[0].files.filter(
    ({ path }) => /\.test\.|fixtures\//.test(path) && !path.startsWith('dist/cli/fixtures/'),
  )
  if (strange.length) {
    console.error(`the tarball holds what nobody needs: ${strange.map(({ path }) => path).join(', ')}`)
    process.exit(1)
  }
  run('publint', 'publint', ['run', tarball, '--strict'], root)
  run('are the types wrong', 'attw', [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji'], root)

  const project = join(work, 'project')
  run('mkdir', 'mkdir', ['-p', project], work)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }))
  run('install', 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], project)
  const example = readFileSync(join(root, 'README.md'), 'utf8')
    .split('```')
    .find((part) => part.startsWith('ts\nimport { createHapax'))
    ?.slice(3)
  if (example === undefined) {
    console.error('README.md has no example that begins with import { createHapax')
    process.exit(1)
  }
  writeFileSync(join(project, 'example.ts'), example)
  const printed = run('the README example', process.execPath, ['example.ts'], project)
  if (!/accepted/.test(printed) || !/duplicate/.test(printed)) {
    console.error(`the README example printed something else:\n${printed}`)
    process.exit(1)
  }
  writeFileSync(
    join(project, 'loads.js'),
    `import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
const { createHapax, schedule } = await import('hapax')
const hapax = await createHapax({ store: 'sqlite:loads.db' })
await hapax.stop()
const foreign = loaded.filter((url) => url.includes('/node_modules/') && !url.includes('/node_modules/hapax/'))
if (foreign.length) { console.error(foreign.join('\\n')); process.exit(1) }
const nightly = schedule('nightly', '0 3 * * *', { timezone: 'Europe/Athens' }, () => {})
const timed = await createHapax({ store: 'memory:', schedules: [nightly] })
await timed.stop()
if (!loaded.some((url) => url.includes('/node_modules/croner/'))) { console.error('no croner'); process.exit(1) }
`,
  )
  run(
    'loading hapax with SQLite, without third-party modules but for schedules',
    process.execPath,
    ['loads.js'],
    project,
  )
  run('the command line', process.execPath, [join(project, 'node_modules/hapax/dist/cli/main.js'), 'help'], project)
  console.log(`package: ${packed[0].files.length} files, ${Math.round(packed[0].size / 1024)} kB packed`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
