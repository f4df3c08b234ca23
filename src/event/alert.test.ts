import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { alertKinds } from './alert.ts'

it('every kind is on the page about alerts, and no other', () => {
  const page = readFileSync('docs/alerts.md', 'utf8')
  const rows = page.slice(page.indexOf('## Kinds'), page.indexOf('## An alert')).matchAll(/^\| `(\w+)` \|/gm)
  expect([...rows].map(([, kind]) => kind).sort()).toEqual([...alertKinds].sort())
})
