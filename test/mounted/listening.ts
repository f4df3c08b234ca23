import { once } from 'node:events'
import type { Server } from 'node:http'

/** Has the server listen on a free port of this machine; answers its base URL. */
export async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}
