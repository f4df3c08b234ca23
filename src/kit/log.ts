/** Fields of a log line: plain values, never a payload or a secret. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** Where Hapax writes what it does. The library is silent unless it is given one. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

const nothing = () => {}

/** Says nothing: the library's default. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

const levels = ['debug', 'info', 'warn', 'error'] as const

/** How much to say. */
export type LogLevel = (typeof levels)[number]

/**
 * One line a message, written by `write`: JSON for machines, or `readable` for people.
 *
 * @param now wall time in milliseconds, handed in so that the log has no clock of its own.
 */
export function lineLog(options: {
  write: (line: string) => void
  now: () => number
  level?: LogLevel
  readable?: boolean
}): Log {
  const least = levels.indexOf(options.level ?? 'info')
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (levels.indexOf(level) < least) return
      const time = new Date(options.now()).toISOString()
      options.write(
        options.readable
          ? `${time.slice(11, 23)} ${level === 'info' ? '' : `${level} `}${message}${readableFields(fields)}\n`
          : `${JSON.stringify({ time, level, message, ...fields })}\n`,
      )
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function readableFields(fields: LogFields): string {
  const shown = Object.entries(fields).filter(([, value]) => value !== undefined)
  return shown.length ? `  ${shown.map(([name, value]) => `${name}=${value}`).join(' ')}` : ''
}
