import type { Alert, AlertChannel, AlertKind, AlertMeans } from '../event/alert.ts'

/** Options of {@link logAlert}. */
export interface LogAlertOptions {
  /** What is logged. Default: all. */
  readonly kinds?: readonly AlertKind[]
}

/**
 * Writes each alert to the log of Hapax, at `warn`: the default where no alerts are configured.
 *
 * @example createHapax({ store, alerts: [slackAlert({ url }), logAlert()] })
 */
export function logAlert({ kinds }: LogAlertOptions = {}): AlertChannel {
  return Object.freeze({
    name: 'log',
    ...(kinds && { kinds }),
    send: async (alert: Alert, { log }: AlertMeans) => {
      const { kind, subject, count, group, node, details } = alert
      log.warn(`alert: ${alert.message}`, { ...details, kind, subject, count, group, node })
    },
  })
}
