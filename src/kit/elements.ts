/**
 * The elements of an array, a hole in it as `undefined`; undefined for what is no array.
 *
 * `every`, `some`, `map` and `filter` pass over holes: a list from a user's file, `[stripe(…), , github(…)]`, was found
 * right by them and had no element where the next reader wanted one.
 *
 * @example elementsOf([1, , 2]) // [1, undefined, 2]
 */
export function elementsOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? Array.from(value) : undefined
}
