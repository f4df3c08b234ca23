import { isTerminal } from '../../src/event/run-status.ts'
import { limits } from '../../src/kit/limits.ts'
import type { Effect, History, SentEvent } from './history.ts'
import { steps } from './shared.ts'

/** Everything in this history that no Hapax may do, one sentence each; none, if all was well. */
export function violationsOf(history: History): string[] {
  return [
    ...acknowledgedIsDurable(history),
    ...oneIdentityOneEvent(history),
    ...everyRunEnds(history),
    ...crashLoopsWereKilled(history),
    ...checkpointsHold(history),
    ...effectsAreWhole(history),
    ...orderIsKept(history),
  ]
}

/** G1: what was answered is on record, under the key of the answer. */
function acknowledgedIsDurable({ sent, record }: History): string[] {
  const keys = new Map(record.events.map(({ id, eventKey }) => [id, eventKey]))
  return sent.flatMap(({ id, answers }) => {
    const found = keys.get(id)
    if (answers.length === 0) return [`${id} was never answered`]
    if (found === undefined) return [`${id} was acknowledged and is not on record`]
    return answers
      .filter(({ eventKey }) => eventKey !== found)
      .map(({ eventKey }) => `${id} was answered as ${eventKey} and is on record as ${found}`)
  })
}

/** G2: accepted at most once, on record once; a repeat is a duplicate, an altered one a conflict. */
function oneIdentityOneEvent({ sent, record }: History): string[] {
  const known = new Set(sent.map(({ id }) => id))
  const seen = new Set<string>()
  const onRecord = record.events.flatMap(({ id }) => {
    const twice = seen.has(id)
    seen.add(id)
    return [
      ...(twice ? [`${id} is on record twice`] : []),
      ...(known.has(id) ? [] : [`${id} is on record and was never sent`]),
    ]
  })
  const answered = sent.flatMap(({ id, answers }) => {
    const accepted = answers.filter(({ outcome }) => outcome === 'accepted').length
    const wrong = answers.filter(({ outcome, altered }) => (outcome === 'conflict') !== altered)
    return [
      ...(accepted > 1 ? [`${id} was accepted ${accepted} times`] : []),
      ...wrong.map(({ outcome, altered }) => `${id}, ${altered ? 'altered' : 'unchanged'}, was answered ${outcome}`),
    ]
  })
  return [...onRecord, ...answered]
}

/** G5: each event has its run, and it ended; dead only as a crash loop, which is judged apart. */
function everyRunEnds({ record }: History): string[] {
  const runs = new Map(record.runs.map((run) => [run.eventKey, run]))
  return record.events.flatMap(({ id, eventKey }) => {
    const run = runs.get(eventKey)
    if (!run) return [`${id} has no run that ended`]
    if (!isTerminal(run.status)) return [`the run of ${id} is still ${run.status}`]
    if (run.status !== 'completed' && run.reason !== 'crash_loop')
      return [`the run of ${id} is ${run.status}: ${run.reason}`]
    return []
  })
}

/** A kill between a durable begin and the handler's first line is a loss that leaves no line: so many of a run's may. */
const unseenMost = 1

/**
 * G8: a run dies of a crash loop only where processes were killed while they executed it, so often. From its first loss on
 * it runs alone, so that each further kill costs one run a life, however many a process would else have had under way.
 */
function crashLoopsWereKilled({ sent, effects, kills, record }: History): string[] {
  const looped = new Set(record.runs.filter(({ reason }) => reason === 'crash_loop').map(({ eventKey }) => eventKey))
  const ids = record.events.filter(({ eventKey }) => looped.has(eventKey)).map(({ id }) => id)
  const lines = byEvent(effects)
  const killed = new Set(kills.map(({ pid }) => pid))
  const sentAt = new Map(sent.map((event) => [event.id, event.sentAt]))
  const most = Math.floor(kills.length / (limits.lostLeases - 1))
  return [
    ...(ids.length > most
      ? [`${ids.length} runs died of a crash loop, and ${kills.length} kills explain ${most}`]
      : []),
    ...ids.flatMap((id) => {
      const since = kills.filter(({ at }) => at > (sentAt.get(id) ?? 0)).length
      if (since < limits.lostLeases) return [`the run of ${id} died of a crash loop after ${since} kills`]
      const cut = attemptsCut(lines.get(id) ?? [], killed)
      if (cut >= limits.lostLeases - unseenMost) return []
      return [`the run of ${id} died of a crash loop, and was killed ${cut} times`]
    }),
  ]
}

/** Attempts that came to their first line, not to their last, in a process that was killed. */
function attemptsCut(lines: readonly Effect[], killed: ReadonlySet<number>): number {
  const begun = new Set<string>()
  for (const { attempt, pid, what } of lines) {
    const one = `${attempt} ${pid}`
    if (what === 'begin' && killed.has(pid)) begun.add(one)
    if (what === 'end') begun.delete(one)
  }
  return begun.size
}

/**
 * G3: that a step began proves that the one before it was durable. Whatever attempt begins after that must not run the
 * earlier one again.
 */
function checkpointsHold({ effects }: History): string[] {
  const violations: string[] = []
  for (const [id, lines] of byEvent(effects)) {
    /** How many steps are proved durable. */
    let durable = 0
    /** How many were, when this attempt of this process came to its first line. */
    const knownAtBegin = new Map<string, number>()
    for (const { attempt, pid, what } of lines) {
      const one = `${attempt} ${pid}`
      const step = [...steps, 'end'].indexOf(what)
      if (what === 'begin') knownAtBegin.set(one, durable)
      else if (!knownAtBegin.has(one)) violations.push(`attempt ${attempt} of ${id} came to ${what} without its begin`)
      else if (step < (knownAtBegin.get(one) ?? 0)) {
        violations.push(`attempt ${attempt} of ${id} ran ${what} again, whose checkpoint was durable before it began`)
      }
      durable = Math.max(durable, step)
    }
  }
  return violations
}

/** A completed run came to its end through all its steps in their order; a transaction's row is there once. */
function effectsAreWhole({ sent, effects, record }: History): string[] {
  const completed = new Set(record.runs.filter(({ status }) => status === 'completed').map(({ eventKey }) => eventKey))
  const ended = new Set(record.events.filter(({ eventKey }) => completed.has(eventKey)).map(({ id }) => id))
  const done = byEvent(effects)
  const rows = new Map<string, number>()
  for (const id of record.bookings) rows.set(id, (rows.get(id) ?? 0) + 1)
  const known = new Set(sent.map(({ id }) => id))
  const strangers = [...done.keys(), ...rows.keys()].filter((id) => !known.has(id))
  const lacking = sent.flatMap((event) => {
    if (event.type === 'booked') return bookedOnce(event, rows.get(event.id) ?? 0, ended.has(event.id))
    const first = new Map<string, number>()
    for (const [at, { what }] of (done.get(event.id) ?? []).entries()) if (!first.has(what)) first.set(what, at)
    const wanted = ['begin', ...steps, 'end']
    const places = wanted.map((what) => first.get(what) ?? Number.POSITIVE_INFINITY)
    const outOfOrder = places.some((at, index) => index > 0 && Number.isFinite(at) && at <= (places[index - 1] ?? 0))
    const missing = wanted.filter((_, index) => places[index] === Number.POSITIVE_INFINITY)
    return [
      ...(outOfOrder ? [`the steps of ${event.id} ran out of order`] : []),
      ...(ended.has(event.id) ? missing.map((what) => `${event.id} is completed and never came to ${what}`) : []),
    ]
  })
  return [...strangers.map((id) => `${id} had an effect and was never sent`), ...lacking]
}

function bookedOnce({ id }: SentEvent, rows: number, completed: boolean): string[] {
  if (rows > 1) return [`the transaction of ${id} took effect ${rows} times`]
  return completed && rows === 0 ? [`${id} is completed and its transaction took no effect`] : []
}

/** G7: of two with one order key, the one whose receipt came before the other was sent has ended before the other begins. */
function orderIsKept({ sent, effects }: History): string[] {
  const begun = new Map<string, number>()
  const ended = new Map<string, number>()
  for (const [at, { id, what }] of effects.entries()) {
    if (what === 'begin' && !begun.has(id)) begun.set(id, at)
    if (what === 'end') ended.set(id, ended.get(id) ?? at)
  }
  const keys = new Map<string, SentEvent[]>()
  for (const event of sent) {
    if (event.orderKey === undefined) continue
    const list = keys.get(event.orderKey) ?? []
    keys.set(event.orderKey, list)
    list.push(event)
  }
  return [...keys.values()].flatMap((list) => {
    const inOrder = [...list].sort((one, other) => one.sentAt - other.sentAt)
    return inOrder.flatMap((later, index) => {
      const earlier = inOrder[index - 1]
      const receivedAt = earlier?.answers[0]?.at
      if (!earlier || receivedAt === undefined || receivedAt >= later.sentAt) return []
      const began = begun.get(later.id)
      // The later one never began: nothing came before its turn.
      if (began === undefined || (ended.get(earlier.id) ?? Number.POSITIVE_INFINITY) < began) return []
      return [`${later.id} began before ${earlier.id}, which has the same order key and came first, had ended`]
    })
  })
}

function byEvent(effects: readonly Effect[]): Map<string, Effect[]> {
  const lists = new Map<string, Effect[]>()
  for (const effect of effects) {
    const list = lists.get(effect.id)
    if (list) list.push(effect)
    else lists.set(effect.id, [effect])
  }
  return lists
}
