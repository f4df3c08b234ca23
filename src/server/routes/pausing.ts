import { jsonAnswer } from '../../ingress/answer.ts'
import { limits } from '../../kit/limits.ts'
import type { Pause } from '../../store/store.ts'
import { reason, text } from '../fields.ts'
import { none, type Route, route } from '../route.ts'
import { ref } from '../schemas.ts'
import type { Served } from '../subject.ts'
import { actor, actorOf } from './actor.ts'

interface Words {
  /** Its part of the path. */
  readonly many: string
  /** In the operation's id. */
  readonly title: string
  /** What its name may be. */
  readonly name: string
}

const words: Readonly<Record<Pause['what'], Words>> = {
  handler: { many: 'handlers', title: 'Handler', name: "The handler's name, or `group/name`." },
  source: { many: 'sources', title: 'Source', name: "The source's name." },
  dependency: { many: 'dependencies', title: 'Dependency', name: "The dependency's name." },
}

/** Pause and resume of handlers, sources or dependencies. */
export function pausingRoutes(hapax: Served, what: Pause['what']): Route[] {
  return [pausing(hapax, what, 'pause'), pausing(hapax, what, 'resume')]
}

function pausing(hapax: Served, what: Pause['what'], verb: 'pause' | 'resume'): Route {
  const { many, title, name } = words[what]
  return route({
    method: 'POST',
    path: `/v1/${many}/{name}/${verb}`,
    name: `${verb}${title}`,
    tag: 'controls',
    summary: `${verb === 'pause' ? 'Pauses' : 'Resumes'} a ${what}: runtime data, which a deploy does not undo.`,
    params: { name: text(name, limits.nameLength) },
    query: none,
    body: { reason: reason(verb), actor },
    answers: {
      200: { description: 'The settings as they are now, and what the name stands for.', schema: ref('Pausing') },
    },
    problems: ['reason_required'],
    async handle({ params, body }) {
      const intent = { reason: body.reason, actor: actorOf(body) }
      return jsonAnswer(200, await hapax.controls[verb](what, params.name, intent))
    },
  })
}

/** The pause that holds what is meant, as a member of its view; nothing where none does. */
export function pauseOf(
  paused: readonly Pause[],
  what: Pause['what'],
  isMeant: (name: string) => boolean,
): { paused?: Pause } {
  const found = paused.find((pause) => pause.what === what && isMeant(pause.name))
  return found ? { paused: found } : {}
}
