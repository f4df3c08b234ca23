import { createHapax } from '../../src/index.ts'
import { listen } from '../../src/server/server.ts'
import { stripe } from '../../src/sources/index.ts'
import { counted } from '../works/events.ts'
import { secret } from './secret.ts'

/** `node bench/ingress/hapax-server.ts STORE [run]`: prints its port. With `run` there is a handler, and the store is made. */
const [, , store = '', run] = process.argv
const handlers = run === undefined ? [] : [counted().handler]
const hapax = await createHapax({ store, migrate: 'auto', sources: [stripe({ secret })], handlers })
if (run !== undefined) await hapax.start()
const server = await listen(hapax, { port: 0 })
console.log(new URL(server.url).port)
process.once('SIGTERM', async () => {
  await server.close()
  await hapax.stop()
})
