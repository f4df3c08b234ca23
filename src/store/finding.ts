/** One thing that was looked at, told to the person who runs it. */
export interface Finding {
  /** What was looked at, always by the same word: `version`, `autovacuum` … */
  readonly about: string
  /** `warn`: it works, and costs or risks something. `fail`: receipts, runs or the store itself are not safe. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What should be there; absent where all is well. */
  readonly wanted?: string
  /** What to do; absent where all is well. */
  readonly todo?: string
}

/** All is well. */
export function fine(about: string, found: string): Finding {
  return { about, state: 'ok', found }
}

/** It works, and costs or risks something. */
export function warning(about: string, found: string, wanted: string, todo: string): Finding {
  return { about, state: 'warn', found, wanted, todo }
}

/** It is not safe. */
export function failure(about: string, found: string, wanted: string, todo: string): Finding {
  return { about, state: 'fail', found, wanted, todo }
}
