import { isUtf8 } from 'node:buffer'
import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from './limits.ts'

/**
 * A form body (`application/x-www-form-urlencoded`) as a string map, strict where browsers guess: a name given twice, a
 * broken escape or bytes that are no UTF-8 are refused. Names like `__proto__` are plain own properties.
 *
 * @throws `invalid_utf8`, `duplicate_key`, `too_many_keys`, `invalid_event` for a broken escape
 */
export function parseForm(body: Uint8Array): Record<string, string> {
  if (!isUtf8(body)) throw new HapaxError('invalid_utf8')
  const form: Record<string, string> = {}
  let count = 0
  for (const pair of new TextDecoder('utf-8', { ignoreBOM: true }).decode(body).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1))
    if (Object.hasOwn(form, name)) throw new HapaxError('duplicate_key', { path: 'a field of the form' })
    count += 1
    if (count > limits.jsonKeys) throw new HapaxError('too_many_keys', { limit: limits.jsonKeys })
    Object.defineProperty(form, name, { value, writable: true, enumerable: true, configurable: true })
  }
  return form
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new HapaxError('invalid_event', { reason: 'the form holds a broken percent escape, or one of no UTF-8' })
  }
}
