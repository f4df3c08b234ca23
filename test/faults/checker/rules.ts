import { type Answered, type Effect, type History, type OnRecord, type Sent, steps, type Violation } from './records.ts'

/** One event as all witnesses saw it. */
interface Story {
  readonly sent: Sent | undefined
  readonly answers: readonly Answered[]
  readonly effects: readonly Effect[]
  readonly found: readonly OnRecord[]
}

/** What this rule says against one event. */
type Rule = (id: string, story: Story) => string[]

const ended = ['completed', 'dead', 'cancelled']
const stages = ['begin', ...steps, 'end']

const rules: Readonly<Record<string, Rule>> = {
  /** What was acknowledged is on record, under the key of the answer. */
  lost(id, { answers, found }) {
    const keys = new Set(answers.map(({ eventKey }) => eventKey))
    return [...keys]
      .filter((key) => !found.some(({ eventKey }) => eventKey === key))
      .map((key) => `${id} was acknowledged as ${key} and is not on record`)
  },

  /** Nothing comes from nowhere. */
  unsent(id, { sent }) {
    return sent ? [] : [`${id} was never sent`]
  },

  /** An identity is one event. */
  twice(id, { found }) {
    return found.length > 1 ? [`${id} is on record ${found.length} times`] : []
  },

  /** Accepted once; a repeat is a duplicate, another content a conflict. */
  answer(id, { answers }) {
    const accepted = answers.filter(({ outcome }) => outcome === 'accepted').length
    return [
      ...(accepted > 1 ? [`${id} was accepted ${accepted} times`] : []),
      ...answers
        .filter(({ outcome, altered }) => !(altered ? ['conflict'] : ['accepted', 'duplicate']).includes(outcome))
        .map(({ outcome, altered }) => `${id}, ${altered ? 'altered' : 'unchanged'}, was answered ${outcome}`),
    ]
  },

  /** However often a step is tried, it has one key, and no other step has it. */
  key(id, { effects }) {
    const ofStep = new Map<string, string>()
    return effects.flatMap(({ what, value }) => {
      if (!steps.includes(what)) return []
      const known = ofStep.get(what)
      if (known !== undefined) return known === value ? [] : [`${what} of ${id} has the keys ${known} and ${value}`]
      const other = [...ofStep].find(([, key]) => key === value)
      ofStep.set(what, value)
      return other ? [`${what} of ${id} has the key of ${other[0]}`] : []
    })
  },

  /** That a step began proves the one before it durable: no attempt begun after that runs the earlier one. */
  checkpoint(id, { effects }) {
    let durable = 0
    const knownAtBegin = new Map<string, number>()
    return effects.flatMap(({ attempt, pid, what }) => {
      const stage = stages.indexOf(what) - 1
      const one = `${attempt} ${pid}`
      const known = knownAtBegin.get(one)
      if (what === 'begin') knownAtBegin.set(one, known ?? durable)
      durable = Math.max(durable, stage)
      if (what === 'begin') return []
      if (known === undefined) return [`attempt ${attempt} of ${id} came to ${what} without its begin`]
      return stage < known ? [`attempt ${attempt} of ${id} ran ${what}, which was durable before it began`] : []
    })
  },

  /** Once a newer attempt has begun, an older one finishes the step that it is in, and comes to no other. */
  fence(id, { effects }) {
    let newest = 0
    const late = new Map<number, number>()
    return effects.flatMap(({ attempt, what }) => {
      if (what === 'begin') newest = Math.max(newest, attempt)
      if (what === 'begin' || attempt >= newest) return []
      const count = (late.get(attempt) ?? 0) + 1
      late.set(attempt, count)
      return count > 1 ? [`attempt ${attempt} of ${id} came to ${what} when attempt ${newest} had begun`] : []
    })
  },

  /** A completed run came through all its steps, in their order. */
  whole(id, { effects, found }) {
    if (!found.some(({ status }) => status === 'completed')) return []
    const places = stages.map((stage) => effects.findIndex(({ what }) => what === stage))
    const missing = stages.filter((_, index) => places[index] === -1)
    const inOrder = places.every((place, index) => index === 0 || place > (places[index - 1] ?? 0))
    if (missing.length > 0) return missing.map((stage) => `${id} is completed and never came to ${stage}`)
    return inOrder ? [] : [`the steps of ${id} ran out of order`]
  },

  /** Every event has a run, and it ended well. */
  ended(id, { found }) {
    return found.flatMap(({ status }) => {
      if (status === 'completed') return []
      return [status && ended.includes(status) ? `${id} is ${status}` : `${id} has not ended: ${status ?? 'no run'}`]
    })
  },

  /** An event stays with its tenant: on record, and where its handler ran. */
  tenant(id, { sent, effects, found }) {
    const others = [...found, ...effects].map(({ tenant }) => tenant).filter((one) => sent && one !== sent.tenant)
    return [...new Set(others)].map((other) => `${id} of ${sent?.tenant} was seen as ${other}'s`)
  },

  /** The result on record is one that an attempt came to its end with. */
  result(id, { effects, found }) {
    return found.flatMap(({ status, result }) => {
      if (status !== 'completed') return []
      const told = effects.filter(({ what }) => what === 'end').map(({ value }) => value)
      if (told.length === 0 || told.includes(result ?? '')) return []
      return [`${id} has the result ${result} and came to ${told[0]}`]
    })
  },
}

/** Everything in this history that no Hapax may do. */
export function violationsOf(history: History): Violation[] {
  const each = Object.entries(rules)
  const ofEvents = [...storiesOf(history)].flatMap(([id, story]) =>
    each.flatMap(([rule, against]) => against(id, story).map((says) => ({ rule, says }))),
  )
  return [...ofEvents, ...orderKept(history)]
}

function storiesOf({ ledger, effects, record }: History): Map<string, Story> {
  const stories = new Map<
    string,
    { sent: Sent | undefined; answers: Answered[]; effects: Effect[]; found: OnRecord[] }
  >()
  const of = (id: string) => {
    const story = stories.get(id) ?? { sent: undefined, answers: [], effects: [], found: [] }
    stories.set(id, story)
    return story
  }
  for (const line of ledger) {
    if ('answered' in line) of(line.answered).answers.push(line)
    else of(line.id).sent = line
  }
  for (const effect of effects) of(effect.id).effects.push(effect)
  for (const found of record) of(found.id).found.push(found)
  return stories
}

/** Of two with one order key, the one acknowledged before the other was sent has ended before the other begins. */
function orderKept({ ledger, effects }: History): Violation[] {
  const first = new Map<string, number>()
  for (const [at, { id, what }] of effects.entries()) {
    const one = `${what} ${id}`
    if (!first.has(one)) first.set(one, at)
  }
  const receivedAt = new Map<string, number>()
  for (const line of ledger) {
    if ('answered' in line && !receivedAt.has(line.answered)) receivedAt.set(line.answered, line.at)
  }
  const last = new Map<string, Sent>()
  return ledger.flatMap((line) => {
    if ('answered' in line || line.orderKey === undefined) return []
    const place = `${line.tenant} ${line.orderKey}`
    const earlier = last.get(place)
    last.set(place, line)
    const began = first.get(`begin ${line.id}`)
    if (!earlier || began === undefined || (receivedAt.get(earlier.id) ?? line.at) >= line.at) return []
    if ((first.get(`end ${earlier.id}`) ?? Number.POSITIVE_INFINITY) < began) return []
    return [{ rule: 'order', says: `${line.id} began before ${earlier.id} of the same order key had ended` }]
  })
}
