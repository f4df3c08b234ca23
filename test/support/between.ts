import type { Store } from '../../src/store/store.ts'

/** What a test does in the place of a call of the store: `go` makes the call. */
export type Between = {
  readonly [Name in keyof Store]?: Store[Name] extends (...args: infer Args) => infer Answer
    ? (go: () => Answer, ...args: Args) => Answer
    : never
}

/** A store of which some calls are in the hands of a test. */
export function between(calls: Between): (store: Store) => Store {
  return (store) =>
    new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        const call: unknown = Reflect.get(calls, name)
        if (typeof call !== 'function') return member.bind(target)
        return (...args: unknown[]) => call(() => member.apply(target, args), ...args)
      },
    })
}
