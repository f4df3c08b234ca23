import { createHapax } from '../../src/index.ts'
import { listen } from '../../src/server/server.ts'
import { stripe } from '../../src/sources/index.ts'
import { secret } from './secret.ts'

/** `node bench/ingress/hapax-server.ts FILE`: prints its port. */
const hapax = await createHapax({ store: `sqlite:${process.argv[2]}`, sources: [stripe({ secret })] })
const server = await listen(hapax, { port: 0 })
console.log(new URL(server.url).port)
process.once('SIGTERM', async () => {
  await server.close()
  await hapax.stop()
})
