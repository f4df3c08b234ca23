import { HapaxError } from '../errors/hapax-error.ts'
import { parseCarefully } from './careful-json.ts'
import { limits } from './limits.ts'

/**
 * A value as JSON text, the same after every round trip; undefined stays undefined.
 *
 * @throws `result_not_json` with the path of what is no JSON; `result_too_large`
 */
export function encodeJson(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  refuseNonJson(value)
  const text = JSON.stringify(value)
  // A text is at most three bytes of UTF-8 per unit: most are far below and need no count.
  if (text.length * 3 > limits.resultBytes && Buffer.byteLength(text) > limits.resultBytes) {
    throw new HapaxError('result_too_large', { name, limitBytes: limits.resultBytes })
  }
  return text
}

/** The value of a text that {@link encodeJson} made. */
export function decodeJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  // V8 (13.6) reads a name with an escape as the name `\` where an object before had that name in that place.
  if (!text.includes('\\')) return JSON.parse(text)
  return parseCarefully(text, { own: true, depth: Number.POSITIVE_INFINITY, keys: Number.POSITIVE_INFINITY }).value
}

interface Place {
  readonly value: unknown
  readonly path: string
  readonly depth: number
}

/**
 * Walks with a list, not by recursion: a result may nest as deep as its author likes, but no deeper than the limit. Most results are
 * small and flat: only what is no scalar is listed, with its path.
 */
function refuseNonJson(root: unknown): void {
  if (isScalar(root)) return
  const open: Place[] = [{ value: root, path: '$', depth: 0 }]
  for (let place = open.pop(); place; place = open.pop()) {
    const { value, path, depth } = place
    if (typeof value !== 'object' || value === null) {
      throw new HapaxError('result_not_json', { path, found: found(value) })
    }
    if (depth > limits.jsonDepth)
      throw new HapaxError('result_not_json', { path, found: `more than ${limits.jsonDepth} levels` })
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) {
        const item: unknown = value[index]
        if (!isScalar(item)) open.push({ value: item, path: `${path}[${index}]`, depth: depth + 1 })
      }
      continue
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if ((prototype !== Object.prototype && prototype !== null) || typeof Reflect.get(value, 'toJSON') === 'function') {
      throw new HapaxError('result_not_json', { path, found: found(value) })
    }
    for (const name of Object.keys(value)) {
      const item: unknown = Reflect.get(value, name)
      if (item !== undefined && !isScalar(item)) {
        open.push({ value: item, path: `${path}.${name}`, depth: depth + 1 })
      }
    }
  }
}

function isScalar(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  return typeof value === 'number' && Number.isFinite(value)
}

function found(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an instance of ${value.constructor?.name ?? 'no class'}`
  return typeof value === 'number' ? String(value) : typeof value
}
