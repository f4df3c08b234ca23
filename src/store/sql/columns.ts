import { HapaxError } from '../../errors/hapax-error.ts'

type Row = Record<string, unknown> | undefined

/** The number in a column that is never null. */
export function numberIn(row: Row, column: string): number {
  const value = row?.[column]
  if (typeof value !== 'number') throw unexpected(column)
  return value
}

/** The text in a column that is never null. */
export function textIn(row: Row, column: string): string {
  const value = row?.[column]
  if (typeof value !== 'string') throw unexpected(column)
  return value
}

/** The text, or undefined for null. */
export function optionalTextIn(row: Row, column: string): string | undefined {
  const value = row?.[column]
  return typeof value === 'string' ? value : undefined
}

/** The number, or undefined for null. */
export function optionalNumberIn(row: Row, column: string): number | undefined {
  const value = row?.[column]
  return typeof value === 'number' ? value : undefined
}

function unexpected(column: string): HapaxError {
  return new HapaxError('store_unavailable', {
    reason: `column ${column} is not what the schema says: the file is damaged`,
  })
}
