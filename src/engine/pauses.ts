import { handlerOfTag, type Registry } from '../event/handler-record.ts'
import type { Settings } from '../store/store.ts'
import type { Entry } from './entry.ts'

/** Which handlers, sources and dependencies an operator has paused. */
export class Pauses {
  readonly #group: string
  readonly #registry: () => Registry
  readonly #usesOf: (tag: string) => readonly string[]
  #names: ReadonlySet<string> = new Set()
  #version = -1

  /** @param usesOf the dependencies that runs of the handler with this tag use */
  constructor(group: string, registry: () => Registry, usesOf: (tag: string) => readonly string[]) {
    this.#group = group
    this.#registry = registry
    this.#usesOf = usesOf
  }

  /**
   * Answers whether something else is paused now. Two readings may come in another order than they were asked for; and settings
   * change with each turn of a circuit: to put 100,000 waiting runs anew takes 100 ms.
   */
  learn(settings: Settings): boolean {
    if (settings.version < this.#version) return false
    this.#version = settings.version
    const names = new Set(settings.paused.map((pause) => `${pause.what}:${pause.name}`))
    if (names.size === this.#names.size && [...names].every((name) => this.#names.has(name))) return false
    this.#names = names
    return true
  }

  /** Whether the run may not begin. */
  holds({ tag, source }: Pick<Entry, 'tag' | 'source'>): boolean {
    if (this.#names.size === 0) return false
    const name = handlerOfTag(this.#registry(), tag)?.name
    const names = [`handler:${name}`, `handler:${this.#group}/${name}`, `source:${source}`]
    if (names.some((one) => this.#names.has(one))) return true
    return this.#usesOf(tag).some((dependency) => this.#names.has(`dependency:${dependency}`))
  }
}
