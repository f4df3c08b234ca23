import type { Context } from './command.ts'

/** Anything but text could move a terminal's cursor, or hide what is there: it is shown, not obeyed. */
const unprintable = /[\p{Cc}\p{Cf}]/gu

/** A text that a terminal shows as it is. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return ''
  return String(value).replace(unprintable, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
}

/** Rows under their headings, aligned; says so where there are none. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[], none: string): string {
  if (rows.length === 0) return `${none}\n`
  const cells = [headings, ...rows.map((row) => row.map(shown))]
  const widths = headings.map((_heading, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return `${cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')}\n`
}

/** A value for machines; integers that a double cannot hold stay numbers. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item), 2)}\n`
}

/** Facts, one a line: what they are, what they say. */
export function facts(pairs: readonly (readonly [string, unknown])[]): string {
  const told = pairs.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(0, ...told.map(([name]) => name.length))
  return told.map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}\n`).join('')
}

/** Bold where a person reads it. */
export function bold(context: Context, text: string): string {
  return context.tty ? `\u001b[1m${text}\u001b[0m` : text
}
