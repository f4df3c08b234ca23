import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock } from '../kit/clock.ts'
import type { Commit, Store } from '../store/store.ts'

/** A question on its way to a store. */
export interface StoreCall {
  readonly method: keyof Store & string
  readonly args: readonly unknown[]
}

/**
 * What becomes of a call on its way there and back. Spans are milliseconds from the call; `afterMs` is when the caller is
 * told `store_unavailable`, and knows nothing.
 */
export type Passage =
  | { readonly kind: 'passes'; readonly requestMs: number; readonly replyMs: number }
  /** Never reaches the store. */
  | { readonly kind: 'request_lost'; readonly afterMs: number }
  /** Reaches it; the answer does not come back. */
  | { readonly kind: 'reply_lost'; readonly requestMs: number; readonly afterMs: number }
  /** Reaches it twice, the second time `againMs` after the first; the first answer comes back. */
  | { readonly kind: 'repeated'; readonly requestMs: number; readonly replyMs: number; readonly againMs: number }
  /** A commit of which a part reaches the store (an item is judged alone), then the connection breaks. */
  | { readonly kind: 'torn'; readonly requestMs: number; readonly afterMs: number; readonly keeps: () => boolean }
  /** The store says no and has done nothing: it is full, or read-only. */
  | { readonly kind: 'refused'; readonly replyMs: number; readonly reason: string }

/** The way between one node and its store. */
export interface Wire {
  /** Moves what is under way: goes on while the node stands still, and after its death. */
  readonly carrier: Clock
  /** Hands answers to the node: they wait while it stands still, and never come after its death. */
  readonly node: Clock
  passage(call: StoreCall): Passage
  /** Milliseconds until a hint of new work is heard; undefined: it is lost. */
  hintMs(): number | undefined
  /** The store has carried the call out, and answers this; `again` for a repeated delivery. */
  carriedOut(call: StoreCall, answer: unknown, again: boolean): void
}

/** Members that are no questions to the store. */
const direct: ReadonlySet<string> = new Set(['close', 'transact', 'acceptWithin'])

/**
 * Any store behind a wire that loses, delays, repeats and tears. It never invents: what it answers, the store answered,
 * or `store_unavailable`, after which nothing is known, as the contract has it.
 *
 * @example
 * const store = faultyStore(memoryWorld({ clock }).connect(), wire)
 */
export function faultyStore(store: Store, wire: Wire): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function' || typeof name !== 'string') return member
      if (direct.has(name)) return member.bind(target)
      if (name === 'onWork') return (listener: () => void) => hints(target, wire, listener)
      const method = name as StoreCall['method']
      return (...args: unknown[]) =>
        carry(wire, { method, args }, (given) => Promise.resolve(member.apply(target, [...given])))
    },
  })
}

function hints(store: Store, wire: Wire, listener: () => void): () => void {
  return store.onWork(() => {
    const delayMs = wire.hintMs()
    if (delayMs !== undefined) wire.node.setTimer(delayMs, listener)
  })
}

function carry(wire: Wire, call: StoreCall, ask: (args: readonly unknown[]) => Promise<unknown>): Promise<unknown> {
  const passage = wire.passage(call)
  const after = (delayMs: number, fire: () => void) => wire.carrier.setTimer(delayMs, fire)
  const asked = async (args: readonly unknown[], again: boolean): Promise<unknown> => {
    const answer = await ask(args)
    wire.carriedOut({ method: call.method, args }, answer, again)
    return answer
  }
  return new Promise((resolve, reject) => {
    const answered = (replyMs: number) => (answer: unknown) => void wire.node.setTimer(replyMs, () => resolve(answer))
    const failed = (replyMs: number) => (error: unknown) => void wire.node.setTimer(replyMs, () => reject(error))
    const givesUp = (afterMs: number) =>
      wire.node.setTimer(afterMs, () => reject(new HapaxError('store_unavailable', { reason: passage.kind })))
    const ignored = () => {}
    switch (passage.kind) {
      case 'passes':
        after(passage.requestMs, () => asked(call.args, false).then(answered(passage.replyMs), failed(passage.replyMs)))
        return
      case 'repeated':
        after(passage.requestMs, () => asked(call.args, false).then(answered(passage.replyMs), failed(passage.replyMs)))
        after(passage.requestMs + passage.againMs, () => void asked(call.args, true).catch(ignored))
        return
      case 'request_lost':
        givesUp(passage.afterMs)
        return
      case 'reply_lost':
        after(passage.requestMs, () => void asked(call.args, false).catch(ignored))
        givesUp(passage.afterMs)
        return
      case 'torn': {
        const args = call.method === 'commit' ? [part(call.args[0] as Commit, passage.keeps)] : call.args
        after(passage.requestMs, () => void asked(args, false).catch(ignored))
        givesUp(passage.afterMs)
        return
      }
      case 'refused':
        wire.node.setTimer(passage.replyMs, () =>
          reject(new HapaxError('store_unavailable', { reason: passage.reason })),
        )
    }
  })
}

/** Some of a commit's items. */
function part(batch: Commit, keeps: () => boolean): Commit {
  return Object.fromEntries(
    Object.entries(batch).map(([kind, items]) => [kind, Array.isArray(items) ? items.filter(() => keeps()) : items]),
  )
}
