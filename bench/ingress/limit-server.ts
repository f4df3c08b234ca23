import { createHmac, timingSafeEqual } from 'node:crypto'
import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { secret } from './secret.ts'

/**
 * The limit: node:http, a parse, a SHA-256 and a durable append, by hand. Bodies that come while one flush is under way share
 * the next. `node bench/ingress/limit-server.ts FILE`: prints its port.
 */
const file = await open(process.argv[2] ?? '', 'a')
let gathered: { body: Buffer; answer: () => void }[] = []
let flushing = false

async function flush(): Promise<void> {
  flushing = true
  while (gathered.length > 0) {
    const flight = gathered
    gathered = []
    await file.writev(flight.map(({ body }) => body))
    await file.datasync()
    for (const { answer } of flight) answer()
  }
  flushing = false
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    const [, timestamp = '', signature = ''] =
      /^t=(\d+),v1=([0-9a-f]+)$/.exec(`${request.headers['stripe-signature']}`) ?? []
    const wanted = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest()
    const given = Buffer.from(signature, 'hex')
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      response.writeHead(401).end()
      return
    }
    const { id }: { id: string } = JSON.parse(body.toString())
    gathered.push({
      body,
      answer: () => response.writeHead(202, { 'content-type': 'application/json' }).end(`{"id":"${id}"}`),
    })
    if (!flushing) void flush()
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(port)
})
process.once('SIGTERM', () => process.exit(0))
