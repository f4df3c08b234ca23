/** A signed webhook in a server of your own: node:http by `toNodeListener`, any fetch-style server by `hapax.fetch`. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempDisposableSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHapax, handler } from '../src/index.ts'
import { toNodeListener } from '../src/ingress/to-node-listener.ts'
import { hmac } from '../src/sources/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-mounted-'))

const secret = 'a secret of this example'
const shop = hmac({ name: 'shop', secret, header: 'x-signature', id: { body: 'id' }, type: { body: 'type' } })
const greet = handler('greet', { source: 'shop', on: 'order.*' }, (event) => `seen ${event.type} ${event.id}`)

await using hapax = await createHapax({ store: `sqlite:${folder.path}/m.db`, sources: [shop], handlers: [greet] })
await hapax.start()

// Mount it before body parsers: the signature is made over the raw bytes.
const mounted = toNodeListener(hapax)
const server = createServer((request, response) => {
  mounted(request, response, () => response.end('a page of your own'))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const base = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''

const sign = (body: string) => createHmac('sha256', secret).update(body).digest('hex')
const headersOf = (signature: string) => ({ 'content-type': 'application/json', 'x-signature': signature })
const post = (url: string, body: string, signature: string) =>
  new Request(`${url}/hooks/in/shop`, { method: 'POST', body, headers: headersOf(signature) })
const tell = async (what: string, response: Response) => {
  const { outcome, code }: { outcome?: string; code?: string } = JSON.parse(await response.text())
  console.log(`${what}: ${response.status} ${outcome ?? code}`)
}

const body = '{"id":"order-1","type":"order.paid","total":1999}'
const other = '{"id":"order-1","type":"order.paid","total":1}'
await tell('sent', await fetch(post(base, body, sign(body))))
await tell('sent again', await fetch(post(base, body, sign(body))))
await tell('other total, same id', await fetch(post(base, other, sign(other))))
await tell('bad signature', await fetch(post(base, body, sign(other))))
await tell('by hapax.fetch', await hapax.fetch(post('http://localhost', body, sign(body))))
console.log(await (await fetch(`${base}/other`)).text())

server.close()
const { events } = await hapax.events.list({ source: 'shop' })
for (const { key } of events) {
  for (const { id } of (await hapax.events.get(key)).runs) console.log(await hapax.runs.result(id, { timeout: '10s' }))
}
