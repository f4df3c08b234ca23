import type { Mutation } from './mutation.ts'

const ownership = 'src/engine/ownership.ts'

/** In what a node takes, commits, owns, and does when it stops. */
export const ofNodes: readonly Mutation[] = [
  {
    name: 'acknowledged before the commit',
    file: 'src/engine/accept.ts',
    find: "answer = await this.#host.committer.accept(item)\n      if (answer.outcome === 'unfingerprinted') answer = await this.#judged(item, answer)\n      this.#committed(item, answer, handOver)",
    replace:
      "this.#host.committer.accept(item).then((late) => this.#committed(item, late as JudgedAccept, handOver), () => {})\n      answer = { outcome: 'accepted', acceptedAt: 0, position: undefined } as AcceptAnswer",
    killedBy: 'G1.receipt',
    seed: 1,
  },
  {
    name: 'a commit that got no answer counts as committed',
    file: 'src/engine/committer.ts',
    find: 'for (const waiting of batch.accept) waiting.reject(reason)',
    replace:
      "for (const waiting of batch.accept) waiting.resolve({ outcome: 'accepted', acceptedAt: 0, position: undefined })",
    killedBy: 'G1.receipt',
    seed: 1,
  },
  {
    name: 'one answer for all accepts of a commit',
    file: 'src/engine/committer.ts',
    find: 'answerAll(batch.accept, result.accept)',
    replace: 'answerAll(batch.accept, result.accept.map((answer) => result.accept[0] ?? answer))',
    killedBy: 'G2.one',
    seed: 15,
  },
  {
    name: 'time by a wall that jumps',
    file: ownership,
    find: 'Math.floor(this.#clock.monotonicMs() + this.#offsetMs)',
    replace: 'Math.floor(this.#clock.now() + this.#offsetMs)',
    killedBy: 'G5.early',
    seed: 2,
  },
  {
    name: 'a node that does not fence itself',
    file: ownership,
    find: 'this.#deadlineMs = sentAtMs + this.#options.leaseMs',
    replace: 'this.#deadlineMs = sentAtMs + 1e9',
    killedBy: 'G6.self_fence',
    seed: 98,
  },
  {
    name: 'an accept whose answer was lost is left to nobody',
    file: 'src/engine/accept.ts',
    find: 'else void this.#askUntilAnswered(item, owned, handOver)',
    replace: '',
    killedBy: 'G5.ends',
    seed: 22,
  },
  {
    name: 'a fenced node that keeps its name',
    file: ownership,
    find: 'this.#fenced++',
    replace: '',
    killedBy: 'G3.no_repeat',
    seed: 474,
  },
  {
    name: 'a lapsed lease costs the one pair that a run asked for',
    file: ownership,
    find: 'if (this.#clock.monotonicMs() >= this.#deadlineMs) this.#fenceItself()\n    else this.#drop(owned)',
    replace: 'this.#drop(owned)',
    killedBy: 'G3.no_repeat',
    seed: 16_266,
  },
  {
    name: 'an answer found late sets the time back',
    file: ownership,
    find: 'Math.min(most, Math.max(least, this.#offsetMs ?? least))',
    replace: 'least',
    killedBy: 'G5.expires',
    seed: 1508,
  },
  {
    name: 'a stop that waits for ever',
    file: 'src/engine/end-runs.ts',
    find: 'dispatcher.handBackAll()\n  if (await settledWithin(clock, dispatcher.quiet(), limits.lastWordMs)) return',
    replace: 'await settledWithin(clock, dispatcher.quiet(), 1_000_000)',
    killedBy: 'G10.stop',
    seed: 871,
  },
  {
    name: 'a stop that does not wait for its runs',
    file: 'src/engine/engine.ts',
    find: 'dispatcher.takeNoMore()\n    const quiet',
    replace: 'if (wasStarted) return\n    dispatcher.takeNoMore()\n    const quiet',
    killedBy: 'G10.stop',
    seed: 94,
  },
  {
    name: 'a follow-up event in another tenant',
    file: 'src/engine/engine.ts',
    find: 'tenant: parent.tenant }',
    replace: "tenant: parent.tenant === 'bolt' ? 'acme' : parent.tenant }",
    killedBy: 'G11.tenant',
    seed: 5,
  },
]
