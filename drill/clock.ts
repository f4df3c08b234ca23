/** Milliseconds by the clock that all processes of a machine share and nobody sets. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Resolves after so long. */
export function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
