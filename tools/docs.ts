import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { catalogue, reasons } from '../src/errors/catalogue.ts'

/** The pages that are made from code, so that they cannot drift. `--check` writes nothing and exits 1 where one is stale. */
const pages: readonly { readonly path: string; readonly make: () => string | Promise<string> }[] = [
  { path: 'docs/errors.md', make: errorsPage },
  { path: 'docs/configuration.md', make: () => made('../src/config/schema.ts', 'configurationPage') },
  { path: 'docs/cli.md', make: () => made('../src/cli/cli-page.ts', 'cliPage') },
]

function errorsPage(): string {
  const rows = Object.entries(catalogue).map(
    ([code, { status, template, cure }]) => `| \`${code}\` | ${status} | ${cell(template)} | ${cell(cure)} |`,
  )
  const others = Object.entries(reasons).map(
    ([word, [says, cure]]) => `| \`${word}\` | ${cell(says)} | ${cell(cure)} |`,
  )
  return `# Errors

Every error has a code, listed once in \`src/errors/catalogue.ts\`; this page is made from it. The code is stable, the
sentence is for people. An API answers with a problem document (RFC 9457) that carries the code.

| code | status | what it says | what to do |
|---|---|---|---|
${rows.join('\n')}

A receipt, a run's \`reason\` and a refused verb also say these, which are no errors:

| word | where, and what it says | what to do |
|---|---|---|
${others.join('\n')}
`
}

/** A page that the code it documents makes itself. */
async function made(module: string, name: string): Promise<string> {
  const loaded: Record<string, unknown> = await import(module)
  const make = loaded[name]
  if (typeof make !== 'function') throw new Error(`${module} exports no ${name}()`)
  return String(make())
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

const check = process.argv.includes('--check')
let stale = 0
for (const { path, make } of pages) {
  const file = new URL(`../${path}`, import.meta.url)
  const text = await make()
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
  stale++
  if (check) console.error(`${path} is stale: run npm run docs`)
  else writeFileSync(file, text)
}
if (!check) console.log(`${pages.length} pages, ${stale} written`)
process.exit(check && stale > 0 ? 1 : 0)
