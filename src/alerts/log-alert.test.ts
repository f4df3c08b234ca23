import { expect, it } from 'vitest'
import type { AlertChannel } from '../event/alert.ts'
import { createHapax, Fatal, handler, lineLog } from '../index.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { slackAlert } from './slack-alert.ts'

async function linesWith(alerts?: readonly AlertChannel[]): Promise<Record<string, unknown>[]> {
  const clock = new FakeClock()
  const lines: string[] = []
  const log = lineLog({ write: (line) => lines.push(line), now: () => clock.now(), level: 'warn' })
  const failing = handler('failing', { source: 'shop', on: '*' }, () => {
    throw new Fatal('card 4242')
  })
  const hapax = await createHapax({ store: 'memory:', handlers: [failing], clock, log, ...(alerts && { alerts }) })
  await hapax.start()
  await hapax.accept({ source: 'shop', id: '1', type: 'order.paid' })
  await clock.advance('1s')
  const stopped = hapax.stop()
  await clock.advance('1m')
  await stopped
  return lines.map((line) => JSON.parse(line))
}

it('where no alerts are configured the log has them, at warn', async () => {
  expect(await linesWith()).toMatchObject([
    {
      level: 'warn',
      message: 'alert: A run of failing is dead: Fatal.',
      kind: 'run_dead',
      subject: 'failing',
      count: 1,
      group: 'default',
    },
  ])
})

it('none where the list is empty', async () => {
  expect(await linesWith([])).toEqual([])
})

it('what a channel could not deliver is logged, and neither its address nor the run’s error', async () => {
  const fetch = () => Promise.reject(new TypeError('failed: https://chat.example/s3cr3t'))
  const lines = await linesWith([slackAlert({ url: 'https://chat.example/s3cr3t', fetch })])
  expect(lines).toMatchObject([{ level: 'error', channel: 'slack', kind: 'run_dead', reason: 'no connection' }])
  expect(JSON.stringify(lines)).not.toMatch(/s3cr3t|4242/)
})
