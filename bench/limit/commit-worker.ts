import { parentPort, workerData } from 'node:worker_threads'
import { ByHand } from './by-hand.ts'

/** A hand-made writer off the main thread: each message is one durable commit, answered when it is durable. */
const hand = new ByHand(String(workerData))
parentPort?.on('message', (message: { id: string; bytes: Uint8Array } | { settle: number }) => {
  let position = 0
  hand.commit(() => {
    if ('settle' in message) hand.settle(message.settle)
    else position = hand.accept(message.id, message.bytes)
  })
  parentPort?.postMessage(position)
})
