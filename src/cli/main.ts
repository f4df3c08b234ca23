#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createClient } from '../client/http-client.ts'
import { readEnvironment } from '../config/load.ts'
import { systemClock } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import { systemRandom } from '../kit/random.ts'
import type { Child } from './command.ts'
import { runCli } from './run-cli.ts'

/** The one file of the command line that touches the process. */
let stops = 0
const listeners: (() => void)[] = []
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Once is a request, twice is an order.
    if (++stops > 1) process.exit(130)
    for (const listener of listeners) listener()
  })
}

function spawnItself(args: readonly string[]): Child {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return {
    stop: () => {
      child.kill('SIGTERM')
    },
    ended: new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1))),
  }
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

process.exitCode = await runCli(
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    tty: process.stdout.isTTY === true,
    env: readEnvironment(),
    cwd: process.cwd(),
    clock: systemClock,
    random: systemRandom(),
    client: (url) => createClient({ url }),
    stdin: standardInput,
    stopped: () =>
      new Promise((resolve) => {
        if (stops > 0) resolve()
        else listeners.push(resolve)
      }),
    spawn: spawnItself,
  },
  process.argv.slice(2),
)

// It has stopped as it was asked to. What a handler left open, deaf to its signal, would keep the process for ever.
if (stops > 0) systemClock.setTimer(limits.lastWordMs, () => process.exit(), { unref: true })
