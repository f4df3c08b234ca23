import { expect, it } from 'vitest'
import { shownUrl } from './store-url.ts'

it.each([
  ['sqlite:hapax.db', 'sqlite:hapax.db'],
  ['postgres://app@host/db?schema=hapax', 'postgres://app@host/db?schema=hapax'],
  ['postgres://app:s3cret@host:5432/db', 'postgres://app:…@host:5432/db'],
  [
    'postgresql://host/db?user=app&password=s3cret&sslmode=require',
    'postgresql://host/db?user=app&password=…&sslmode=require',
  ],
])('shows %s without its password', (url, shown) => {
  expect(shownUrl(url)).toBe(shown)
})
