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

  /** Answers whether they are newer than what is known: two readings may come in another order than they were asked for. */
  learn(settings: Settings): boolean {
    if (settings.version < this.#version) return false
    this.#version = settings.version
    this.#names = new Set(settings.paused.map((pause) => `${pause.what}:${pause.name}`))
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
