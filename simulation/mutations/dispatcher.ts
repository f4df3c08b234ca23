import type { Mutation } from './mutation.ts'

const dispatcher = 'src/engine/dispatcher.ts'
const dueReader = 'src/engine/due-reader.ts'
const orderQueues = 'src/engine/order-queues.ts'
const ownedPair = 'src/engine/owned-pair.ts'
const runMemory = 'src/engine/run-memory.ts'

/** In which run goes next, and what there is to choose from. */
export const ofTheDispatcher: readonly Mutation[] = [
  {
    name: 'retry timers in memory alone',
    file: dueReader,
    find: 'this.#look(noted)',
    replace: 'if (this.#dueAt !== undefined) this.#look(noted)',
    killedBy: 'G5.ends',
    seed: 3,
  },
  {
    name: 'a low mark that passes what runs',
    file: ownedPair,
    find: "if (entry.stage !== 'standing' && entry.position < position) position = entry.position",
    replace: "if (entry.stage === 'ready' && entry.position < position) position = entry.position",
    killedBy: 'G5.ends',
    seed: 1,
  },
  {
    name: 'a page read before a settlement and used after it',
    file: 'src/engine/admission.ts',
    find: 'if (!pair?.isRead || moved.has(id) || memory.moving.has(id)) return false',
    replace: 'if (!pair?.isRead) return false',
    killedBy: 'G5.final',
    seed: 2547,
  },
  {
    name: 'a slot leaked with a lost lease',
    file: dispatcher,
    find: 'this.#host.ended(entry)\n      this.#running--',
    replace: 'this.#host.ended(entry)\n      if (this.#host.holds(entry.owned)) this.#running--',
    killedBy: 'G5.ends',
    seed: 1,
  },
  {
    name: 'one slot too many',
    file: dispatcher,
    find: 'if (this.#running >= slots ||',
    replace: 'if (this.#running > slots ||',
    killedBy: 'G8.slots',
    seed: 1,
  },
  {
    name: 'order keys not looked at',
    file: runMemory,
    find: 'const name = ordered ? orderName(record.tag, event.tenant, event.orderKey ??',
    replace: 'const name = ordered && !pair ? orderName(record.tag, event.tenant, event.orderKey ??',
    killedBy: 'G7.one_at_a_time',
    seed: 2,
  },
  {
    name: 'an order key released while its head retries',
    file: orderQueues,
    find: "return reason !== 'released' && onDead === 'block'\n  return true",
    replace: "return reason !== 'released' && onDead === 'block'\n  return status !== 'scheduled'",
    killedBy: 'G7.one_at_a_time',
    seed: 2,
  },
  {
    name: 'a dead head that should block is skipped',
    file: orderQueues,
    find: "return reason !== 'released' && onDead === 'block'",
    replace: "return reason === 'released' && onDead === 'block'",
    killedBy: 'G7.one_at_a_time',
    seed: 13,
  },
  {
    name: 'the last comer goes first',
    file: orderQueues,
    find: 'queue.splice(at, 0, item)',
    replace: 'queue.splice(1, 0, item)',
    killedBy: 'G7.order',
    seed: 63,
  },
  {
    name: 'what was let go is not read again',
    file: 'src/engine/tail-reader.ts',
    find: 'if (room.takeUpAgain(pairs)) this.#host.takenUpAgain()',
    replace: '',
    killedBy: 'G5.ends',
    seed: 66,
  },
  {
    name: 'what was handed over is not read again',
    file: ownedPair,
    find: 'this.#isReadAgain = true',
    replace: 'this.#isReadAgain = false',
    killedBy: 'G5.ends',
    seed: 46,
  },
  {
    name: 'a later run of a key goes before one that was let go',
    file: runMemory,
    find: 'if (line !== undefined && room.isLetGo(line)) {',
    replace: 'if (line === undefined && ordered) {',
    killedBy: 'G7.order',
    seed: 8125,
  },
  {
    name: 'a run admitted while a verb moves it',
    file: runMemory,
    find: 'const isMoving = this.#moving.has(entry.id)',
    replace: 'const isMoving = false',
    killedBy: 'G5.final',
    seed: 6217,
  },
  {
    name: 'due runs behind a full page are not read',
    file: dueReader,
    find: 'this.#after = { dueAt: last.state?.dueAt ?? 0, position: last.position, tag: last.tag }',
    replace: 'this.#after = undefined',
    killedBy: 'G5.ends',
    seed: 1002,
  },
]
