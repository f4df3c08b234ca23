import { catalogue, type ErrorCode } from './catalogue.ts'

/** What an error tells beside its code: values for the sentence, safe to show to whoever made the call. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>

/**
 * The one error class of Hapax. Act on `code`, which is stable; the message is for people and says what failed, what was
 * wanted, what was found, and the cure.
 *
 * @example
 * try { await hapax.accept(event) } catch (error) {
 *   if (error instanceof HapaxError && error.code === 'identity_required') …
 * }
 */
export class HapaxError extends Error {
  override readonly name = 'HapaxError'
  /** Stable, listed in docs/errors.md. */
  readonly code: ErrorCode
  /** The values in the message. Never holds a secret or a payload. */
  readonly details: ErrorDetails

  constructor(code: ErrorCode, details: ErrorDetails = {}, options: { cause?: unknown } = {}) {
    super(describe(code, details), options)
    this.code = code
    this.details = details
  }

  /** The HTTP status for this code. */
  get status(): number {
    return catalogue[this.code].status
  }

  /** What the reader can do about it. */
  get cure(): string {
    return fill(catalogue[this.code].cure, this.details)
  }
}

function describe(code: ErrorCode, details: ErrorDetails): string {
  return `${fill(catalogue[code].template, details)} ${fill(catalogue[code].cure, details)}`
}

/** The sentence alone, without the cure: what a problem document calls `detail`. */
export function sentenceOf(error: HapaxError): string {
  return fill(catalogue[error.code].template, error.details)
}

function fill(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in details ? String(details[name]) : whole))
}
