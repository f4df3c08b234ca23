/** Dotted paths as a tree: what hangs below each name; `true` where a path ends. */
export type FieldTree = ReadonlyMap<string, FieldTree | true>

const trees = new WeakMap<readonly string[], FieldTree>()

/**
 * Dotted paths, like `data.object.updated`, as a tree. A name is a key of an object or an index of an array, `*` any of
 * either; a dot inside a key is written `\.`. Kept per list, so that a source's list is read once.
 */
export function fieldTree(paths: readonly string[]): FieldTree {
  const known = trees.get(paths)
  if (known) return known
  const root = new Map<string, FieldTree | true>()
  for (const path of paths) plant(root, fieldNames(path))
  trees.set(paths, root)
  return root
}

/** The names of one dotted path. */
export function fieldNames(path: string): string[] {
  return path.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'))
}

/** The value at a path, or undefined; own properties alone, so that `constructor` finds nothing that was not sent. */
export function fieldAt(value: unknown, path: string): unknown {
  let found = value
  for (const name of fieldNames(path)) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = Reflect.get(found, name)
  }
  return found
}

function plant(root: Map<string, FieldTree | true>, names: readonly string[]): void {
  let tree = root
  for (const [index, name] of names.entries()) {
    const below = tree.get(name)
    if (below === true) return
    if (index === names.length - 1) {
      tree.set(name, true)
      return
    }
    const next: Map<string, FieldTree | true> = below instanceof Map ? below : new Map()
    tree.set(name, next)
    tree = next
  }
}
