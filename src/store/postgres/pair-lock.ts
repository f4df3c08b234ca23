/**
 * What fences a pair, in SQL: a number that flushes of its owner lock in common, and who takes it over alone. In the order
 * of these numbers, so that no two wait for each other.
 */
export function pairLock(group: string, shard: string): string {
  return `hashtextextended(':s' || '/' || ${shard} || '/' || ${group}, 0)`
}
