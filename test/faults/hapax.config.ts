import { defineConfig, type HandlerEvent, handler, type Run } from '../../src/index.ts'
import { hmac } from '../../src/sources/index.ts'
import { steps } from './checker/records.ts'
import { secret, tenants } from './shared.ts'

const receiver = process.env.FAULTS_RECEIVER ?? 'http://127.0.0.1:9'
const retry = { attempts: 1_000, min: '20ms', max: '500ms' } as const

/** Tells the receiver of a line that an attempt comes to; it is an outside service, with a log of its own. */
const telling = (event: HandlerEvent, run: Run) => async (what: string, value: string) => {
  const { id, tenant } = event
  const line = { id, tenant, attempt: run.attempt, pid: process.pid, what, value }
  const answer = await fetch(receiver, { method: 'POST', body: JSON.stringify(line) })
  await answer.text()
}

async function inSteps(event: HandlerEvent, run: Run): Promise<unknown> {
  const tell = telling(event, run)
  await tell('begin', '')
  for (const step of steps) await run.step(step, (key) => tell(step, key))
  const result = { id: event.id }
  await tell('end', JSON.stringify(result))
  return result
}

export default defineConfig({
  grace: '5s',
  sources: tenants.map((tenant) =>
    hmac({
      name: tenant,
      tenant,
      secret,
      header: 'x-signature',
      id: { body: 'id' },
      type: { body: 'type' },
      orderKey: ({ data }) => (typeof data.key === 'string' ? data.key : undefined),
    }),
  ),
  handlers: tenants.flatMap((tenant) => [
    handler(`pay-${tenant}`, { source: tenant, on: 'paid', retry }, inSteps),
    handler(`queue-${tenant}`, { source: tenant, on: 'queued', retry, order: true }, inSteps),
    handler(`count-${tenant}`, { source: tenant, on: 'counted', retry }, () => null),
  ]),
})
