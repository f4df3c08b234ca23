/**
 * Thrown by a dependency's `fetch` where the answer is not 2xx, nor accepted. Its status says what becomes of the run that it
 * leaves: docs/dependencies.md has the table.
 *
 * @example
 * try { await acquirer.fetch(url) } catch (error) {
 *   if (error instanceof DependencyError && error.status === 402) return { declined: JSON.parse(error.body).code }
 *   throw error
 * }
 */
export class DependencyError extends Error {
  override readonly name = 'DependencyError'
  /** The dependency's name. */
  readonly dependency: string
  readonly status: number
  readonly #headers: Headers
  readonly #body: string

  /** Its message has neither address nor body, which may hold what no log should. */
  constructor(dependency: string, method: string, answer: { status: number; headers: Headers; body: string }) {
    super(`${dependency} answered ${method} with ${answer.status}.`)
    this.dependency = dependency
    this.status = answer.status
    this.#headers = answer.headers
    this.#body = answer.body
  }

  get headers(): Headers {
    return this.#headers
  }

  /** As text, up to 64 KiB; never logged, nor kept with the run. */
  get body(): string {
    return this.#body
  }
}
