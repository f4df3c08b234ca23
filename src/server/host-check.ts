import { HapaxError } from '../errors/hapax-error.ts'

/** Names by which a loopback address may be called. */
const loopbackNames = ['localhost', '127.0.0.1', '[::1]']

/** Whether the host names an address of this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Refuses what a browser sends for a page of another site whose name was pointed at this address (DNS rebinding): to the
 * browser it is that site's own server, and loopback alone would keep nobody out.
 *
 * @throws `host_refused`
 */
export function hostCheck(hosts: readonly string[]): (host: string | undefined) => void {
  const known = new Set([...loopbackNames, ...hosts.map((host) => host.toLowerCase())])
  return (host) => {
    const name = (host ?? '').toLowerCase().replace(/:\d+$/, '')
    if (!known.has(name)) throw new HapaxError('host_refused')
  }
}
