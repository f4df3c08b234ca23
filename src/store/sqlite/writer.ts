import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../kit/clock.ts'
import { storeError } from './connection.ts'
import type { WriterReply, WriterRequest } from './messages.ts'
import { Writing } from './writing.ts'

/** How long nothing must have been asked before a moment counts as idle, in milliseconds. */
const idleMs = 20

/** The thread of the writer: one request after the other, in the order in which they came. */
const writing = new Writing(workerData)
const port = parentPort
let lastAskedMs = systemClock.monotonicMs()
let closed = false

function answer(request: WriterRequest): WriterReply {
  const { id } = request
  try {
    return { id, value: perform(request) }
  } catch (error) {
    const { code, details } = storeError(error)
    return { id, code, details }
  }
}

function perform(request: WriterRequest): unknown {
  switch (request.method) {
    case 'commit':
      return writing.commit(...request.args)
    case 'own':
      return writing.own(...request.args)
    case 'register':
      return writing.register(...request.args)
    case 'secret':
      return writing.secret(...request.args)
    case 'changeSetting':
      return writing.changeSetting(...request.args)
    case 'turnCircuit':
      return writing.turnCircuit(...request.args)
    case 'raiseVersion':
      return writing.raiseVersion(...request.args)
    case 'purge':
      return writing.purge(...request.args)
    case 'close':
      return writing.close()
  }
}

function lookIdle(): void {
  if (closed) return
  const restMs = lastAskedMs + idleMs - systemClock.monotonicMs()
  let more = false
  try {
    if (restMs <= 0) more = writing.idle()
  } catch {
    // Held by another process, or the disk is full: a later moment will do, and commits say so by themselves.
  }
  if (restMs > 0) wait(restMs)
  else if (more) wait(0)
  else watching = false
}

let watching = false
function wait(delayMs: number): void {
  watching = true
  systemClock.setTimer(delayMs, lookIdle, { unref: true })
}

port?.on('message', (request: WriterRequest) => {
  const reply = answer(request)
  port.postMessage(reply)
  lastAskedMs = systemClock.monotonicMs()
  if (request.method === 'close') {
    closed = true
    port.close()
    return
  }
  try {
    writing.afterwards()
  } catch {
    // A log that cannot be copied now is copied later.
  }
  if (!watching) wait(idleMs)
})
