import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { HapaxError } from '../../errors/hapax-error.ts'
import { usage } from '../args.ts'
import { type Command, exitCodes, serverFlags } from '../command.ts'
import { fixture, fixtureNames } from '../fixtures/fixtures.ts'
import { json } from '../print.ts'

/** Sends an event as its sender would. */
export const send: Command = {
  name: 'send',
  sentence: 'Sends an event: a fixture or your own body, signed with the configured secret; or a CloudEvent.',
  takes: ['[SOURCE]'],
  flags: [
    { name: 'fixture', value: 'NAME', sentence: `A real payload: ${fixtureNames.join(', ')}.` },
    { name: 'data', value: 'JSON', sentence: 'The body; else --file, else standard input.' },
    { name: 'file', value: 'PATH', sentence: 'The body is in this file.' },
    { name: 'type', value: 'TYPE', sentence: 'Of a CloudEvent, or where the source takes the type from a header.' },
    { name: 'id', value: 'ID', sentence: "The event's id. Default: a new one." },
    { name: 'config', value: 'FILE', sentence: 'The configuration that has the secret. Default: hapax.config.ts.' },
    ...serverFlags,
  ],
  examples: [
    'hapax send --fixture stripe/payment_intent.succeeded',
    'hapax send shop --type order.paid --id 1 --data \'{"total":5}\'',
  ],
  async run(context, given) {
    const url = given.text('url') ?? context.env.HAPAX_URL ?? 'http://127.0.0.1:4400'
    const name = given.text('fixture')
    const made =
      name === undefined
        ? undefined
        : await fixture(
            name,
            given.text('id') ??
              `${context.clock.now().toString(36)}${Buffer.from(context.random.bytes(4)).toString('hex')}`,
          )
    if (name !== undefined && !made) throw usage(`there is no fixture ${name}: ${fixtureNames.join(', ')}`)
    const sourceName = given.positionals[0] ?? made?.source
    if (sourceName === undefined) throw usage('send needs a source, or --fixture')
    const data = given.text('data')
    const file = given.text('file')
    const body =
      made?.body ??
      (data !== undefined
        ? Buffer.from(data)
        : file !== undefined
          ? await readFile(resolve(context.cwd, file))
          : await context.stdin())

    const configFile = given.text('config')
    const config = await loadConfig({
      ...(configFile !== undefined && { file: configFile }),
      env: context.env,
      cwd: context.cwd,
    })
    const source = config.sources.find((one) => one.name === sourceName)
    let request: { path: string; headers: Record<string, string> }
    if (source) {
      const type = given.text('type') ?? made?.type
      const id = given.text('id') ?? made?.id
      if (!source.sign) throw usage(`source ${sourceName} holds no secret that signs`)
      const signed = source.sign({
        body,
        nowMs: context.clock.now(),
        ...(id !== undefined && { id }),
        ...(type !== undefined && { type }),
      })
      request = {
        path: `/in/${encodeURIComponent(sourceName)}`,
        headers: { 'content-type': 'application/json', ...signed },
      }
    } else {
      const id = given.text('id') ?? made?.id ?? `${context.clock.now().toString(36)}`
      const type = given.text('type') ?? made?.type
      if (type === undefined)
        throw usage(`no source ${sourceName} is configured, so it goes as a CloudEvent: give --type`)
      const headers = {
        'content-type': 'application/json',
        'ce-specversion': '1.0',
        'ce-id': id,
        'ce-source': sourceName,
        'ce-type': type,
      }
      request = { path: '/v1/events', headers }
    }
    const response = await fetch(new URL(request.path, url), {
      method: 'POST',
      body: new Uint8Array(body),
      headers: request.headers,
    }).catch((cause: unknown) => {
      throw new HapaxError('server_unreachable', { url }, { cause })
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (given.has('json')) context.out(json({ status: response.status, answer }))
    else context.out(`${response.status} ${told(answer)}\n`)
    return response.ok ? exitCodes.ok : exitCodes.failed
  },
}

/** The outcome and the key of a receipt; the sentence of a problem. */
function told(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null) return ''
  const event: unknown = Reflect.get(answer, 'event')
  const key: unknown = typeof event === 'object' && event !== null ? Reflect.get(event, 'key') : undefined
  const outcome: unknown = Reflect.get(answer, 'outcome') ?? Reflect.get(answer, 'code')
  const rest: unknown = key ?? Reflect.get(answer, 'detail') ?? ''
  return `${String(outcome)} ${String(rest)}`
}
