import { Alerts } from '../../src/engine/alerts.ts'
import type { Alert, AlertChannel, Occurrence } from '../../src/event/alert.ts'
import { lineLog } from '../../src/kit/log.ts'
import { seededRandom } from '../../src/kit/random.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** A channel that keeps what it is sent; `answer` says how each try of it ends. */
export function keptAlerts(
  more: Partial<AlertChannel> = {},
  answer: (tries: number) => Promise<void> | void = () => {},
): AlertChannel & { readonly sent: readonly Alert[] } {
  const sent: Alert[] = []
  return {
    name: 'kept',
    ...more,
    sent,
    send: async (alert) => {
      sent.push(alert)
      await answer(sent.length)
    },
  }
}

/** Alerts of a node on virtual time, with the lines of its log. */
export function alertScene(...channels: readonly AlertChannel[]) {
  const clock = new FakeClock()
  const lines: string[] = []
  const log = lineLog({ write: (line) => lines.push(line), now: () => clock.now(), level: 'debug' })
  const alerts = new Alerts({ clock, log, random: seededRandom(1), group: 'g', node: 'g-node', channels })
  return { clock, lines, alerts }
}

/** A dead run of a handler. */
export function died(subject = 'settle', run = 'run'): Occurrence {
  return { kind: 'run_dead', subject, message: `A run of ${subject} is dead.`, details: { run } }
}
