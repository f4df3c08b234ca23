import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Measured, Side, SideOptions } from '../measure.ts'

/** `POST /in/stripe` with its signature, over HTTP: the server and those who load it are processes of their own. */
export const ingressHapax: Side = (options) => served('hapax-server.ts', `sqlite:${options.file}`, options)
export const ingressLimit: Side = (options) => served('limit-server.ts', options.file, options)

async function served(name: string, store: string, { count }: SideOptions): Promise<Measured> {
  const server = start(name, [store])
  const port = await firstLine(server)
  const load = start('load.ts', [port, String(count)])
  const rate = Number(await firstLine(load))
  server.kill('SIGTERM')
  await once(server, 'exit')
  return { rate }
}

function start(name: string, args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(`../ingress/${name}`, import.meta.url))
  return spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) return ''
  for await (const line of createInterface({ input: child.stdout })) return line
  return ''
}
