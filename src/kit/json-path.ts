/** Longest path an error names, in characters. */
const pathLength = 200

/**
 * The place of a value for an error, like `$.items[3].id`. Keys come from the sender: only those that look like names
 * are shown, so that no payload gets into an error or a log by way of a key.
 */
export function jsonPath(keys: readonly (string | number)[]): string {
  let path = '$'
  for (const key of keys) {
    if (typeof key === 'number') path += `[${key}]`
    else path += /^[A-Za-z_$][\w$-]{0,63}$/.test(key) ? `.${key}` : '["…"]'
    if (path.length > pathLength) return `${path.slice(0, pathLength)}…`
  }
  return path
}
