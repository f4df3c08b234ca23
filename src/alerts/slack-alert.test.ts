import { afterEach, describe, expect, it } from 'vitest'
import { receiver } from '../../test/support/receiver.ts'
import type { Alert, AlertMeans } from '../event/alert.ts'
import { limits } from '../kit/limits.ts'
import { silentLog } from '../kit/log.ts'
import { slackAlert } from './slack-alert.ts'

const alert: Alert = {
  id: 'alert_node_1',
  kind: 'run_unknown',
  subject: 'pay & go',
  message: 'A run of <!channel> pay & go is unknown: step_in_doubt. A person decides.',
  at: 1_764_000_000_000,
  count: 1,
  group: 'default',
  node: 'default-node',
  details: { run: 'run-1', reason: 'step_in_doubt' },
}
const means: AlertMeans = { signal: new AbortController().signal, log: silentLog, now: () => 0 }
const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function posted(given: Alert): Promise<{ headers: unknown; text: string }> {
  const { url, received, close } = await receiver()
  open.push(close)
  await slackAlert({ url: `${url}/services/T0/B0/x` }).send(given, means)
  const [request] = received
  expect(request).toMatchObject({ method: 'POST', path: '/services/T0/B0/x' })
  const body: { text: string } = JSON.parse(request?.body.toString() ?? '')
  expect(Object.keys(body)).toEqual(['text'])
  return { headers: request?.headers, text: body.text }
}

describe('an alert in a chat', () => {
  it('is the text of an incoming webhook, its three control characters escaped and nothing else', async () => {
    const { headers, text } = await posted(alert)
    expect(headers).toMatchObject({ 'content-type': 'application/json' })
    expect(text).toBe(
      [
        '*run_unknown*',
        'A run of &lt;!channel&gt; pay &amp; go is unknown: step_in_doubt. A person decides.',
        'run: run-1, reason: step_in_doubt, group: default, node: default-node',
      ].join('\n'),
    )
  })

  it('says how many there were', async () => {
    expect((await posted({ ...alert, count: 9_999 })).text).toMatch(/^\*run_unknown\* \(9999 times\)\n/)
  })

  it('is cut to what a chat takes, between two characters', async () => {
    const { text } = await posted({ ...alert, message: '💶'.repeat(limits.alertTextLength) })
    expect(text).toHaveLength(limits.alertTextLength)
    expect(text.isWellFormed()).toBe(true)
    expect(text.endsWith('…')).toBe(true)
  })

  it('refuses an address that is none, without telling it', () => {
    const wrong = () => slackAlert({ url: 'hooks.slack.example/s3cr3t' })
    expect(wrong).toThrow('slackAlert(): url: wanted an address')
    expect(wrong).not.toThrow('s3cr3t')
  })
})
