import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Lab } from './lab.ts'

/** Traces the syncs alone, and holds each back when the kernel has done it. */
const tracing = (delayMs: number) => [
  '-f',
  ...['-e', 'trace=fsync,fdatasync'],
  ...['-e', `inject=fsync,fdatasync:delay_exit=${delayMs * 1_000}`],
  ...['-o', '/dev/null'],
]

/** @throws where this machine cannot slow a process's syncs down */
export function probeSlowFsync(): void {
  const { status, stderr, error } = spawnSync('strace', [...tracing(1), 'true'], { encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`strace: ${error?.message ?? stderr.trim()}`)
}

/** From when it resolves until the process ends, each fsync of it takes so much longer, as on a disk that is worn or shared. */
export async function slowFsync({ cleanUp }: Lab, process: ChildProcess, delayMs: number): Promise<void> {
  const tracer = spawn('strace', [...tracing(delayMs), '-p', String(process.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  cleanUp(() => tracer.kill())
  // "strace: Process 4711 attached with 12 threads": the first thing it says.
  await once(createInterface({ input: tracer.stderr }), 'line')
}
