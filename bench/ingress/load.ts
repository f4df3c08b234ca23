import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { producers } from '../measure.ts'
import { body } from '../payload.ts'
import { idsOf } from '../works/events.ts'
import { secret } from './secret.ts'

/**
 * Sends COUNT signed requests over 64 kept connections, each awaiting its answer: `node bench/ingress/load.ts PORT COUNT`;
 * prints how many a second. On bare sockets, with requests made before: the load must cost less than what it measures.
 */
const [port = '0', count = '0'] = process.argv.slice(2)
const timestamp = Math.floor(Date.now() / 1_000)
const requests = idsOf(Number(count)).map((id) => {
  const bytes = body(id)
  const signature = createHmac('sha256', secret).update(`${timestamp}.`).update(bytes).digest('hex')
  const head = [
    'POST /in/stripe HTTP/1.1',
    'host: 127.0.0.1',
    'user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    'accept: */*; q=0.5, application/xml',
    'content-type: application/json; charset=utf-8',
    `content-length: ${bytes.length}`,
    `stripe-signature: t=${timestamp},v1=${signature}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])
})

let next = 0
const began = performance.now()
await Promise.all(Array.from({ length: producers }, sender))
console.log(requests.length / ((performance.now() - began) / 1_000))

function sender(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.setNoDelay(true)
    let received = ''
    const send = () => {
      const request = requests[next++]
      if (request) socket.write(request)
      else {
        socket.destroy()
        resolve()
      }
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const end = whole(received)
      if (end === undefined) return
      if (!received.startsWith('HTTP/1.1 20')) reject(new TypeError(received.slice(0, 500)))
      received = received.slice(end)
      send()
    })
  })
}

/** Where the first answer ends, once all of it is there: with its length, or in chunks. */
function whole(text: string): number | undefined {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head + 2))?.[1]
  const last = text.indexOf('\r\n0\r\n\r\n', head)
  const end = length === undefined ? (last < 0 ? undefined : last + 7) : head + 4 + Number(length)
  return end !== undefined && text.length >= end ? end : undefined
}
