const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Widths of ranges; a whole number of days begins at midnight, UTC. */
const widthsMs = [hourMs, dayMs, 7 * dayMs, 28 * dayMs, 91 * dayMs, 364 * dayMs] as const

/** So many ranges are live at most: a look by (shard, position) meets each. */
const mostRanges = 16

/** How wide the next range is, for a journal that is kept for so long. */
export function rangeWidthMs(keptMs: number): number {
  return widthsMs.find((width) => keptMs / width <= mostRanges) ?? 364 * dayMs
}
