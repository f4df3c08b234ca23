import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createClient } from '../../src/client/http-client.ts'
import { play } from './play.ts'
import { Processes } from './processes.ts'

const usage = `npm start -- [--exit] [--no-demo] [--port N] [--store URL]

Starts the server with two workers on SQLite, plays real traffic at it, compares what is on record with what was sent,
and stays up for your own events.

  --exit       end after the summary; exit code 1 where a number does not add up
  --no-demo    play nothing
  --port N     listen there; 0 takes a free port. Default 4400
  --store URL  default sqlite:.hapax/tour.db; each tour adds up on a file that others used before
`

const { values } = parseArgs({
  options: {
    exit: { type: 'boolean', default: false },
    'no-demo': { type: 'boolean', default: false },
    port: { type: 'string', default: '4400' },
    store: { type: 'string', default: 'sqlite:.hapax/tour.db' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(usage)
  process.exit(0)
}

const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
})
if (values.store === 'sqlite:.hapax/tour.db') mkdirSync('.hapax', { recursive: true, mode: 0o700 })
const processes = new Processes({ HAPAX_STORE: values.store })
try {
  const outsideUrl = await processes.outsideService()
  const { url, pid } = await processes.server(values.port)
  const workers = [await processes.worker(), await processes.worker()]
  console.log(
    `server ${url} (process ${pid}), workers ${workers.map((worker) => worker.pid).join(' and ')}, ${values.store}`,
  )
  if (!values['no-demo']) {
    const tour = randomBytes(4).toString('hex')
    const stage = { hapax: createClient({ url }), serverUrl: url, outsideUrl, processes, tour, say: console.log }
    const sound = await Promise.race([play(stage), stopped])
    if (sound === false) {
      console.error(
        'The numbers do not add up: this is a bug of Hapax, or somebody else wrote to this store meanwhile.',
      )
      process.exitCode = 1
    }
  }
  if (!values.exit) {
    console.log(`The server stays up for your own events; Ctrl-C stops it.

  HAPAX_URL=${url} npm run -s hapax -- send --fixture stripe/payment_intent.succeeded --config examples/tour/hapax.config.ts
  HAPAX_URL=${url} npm run -s hapax -- runs --status completed
  curl ${url}/v1/events`)
    await stopped
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await processes.stop()
}
