import type { Clock, Instant, Timer } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { CircuitRecord, CircuitTurn, CircuitTurned } from '../store/circuits.ts'
import type { CallVerdict } from './call-failure.ts'

/** When a circuit opens, and when it is tried again. */
export interface CircuitPolicy {
  /** Failures in a row. */
  readonly failures: number
  /** All of them within this span. */
  readonly withinMs: number
  /** How long it stays open before one call is let through. */
  readonly cooldownMs: number
  /** How long a call may take: a probe that is not heard of for longer was lost. */
  readonly timeoutMs: number
}

/** What a circuit asks of its node. */
export interface CircuitHost {
  readonly clock: Clock
  readonly log: Log
  readonly node: string
  /** The store's clock. */
  now(): Instant
  turn(turn: CircuitTurn): Promise<CircuitTurned>
  /** Whether a run waits for it: without one, there is nothing to probe with. */
  isWaitedFor(): boolean
  /** More may go, or less: who waits is looked at again. */
  changed(): void
  /** A beat is wanted before its time. */
  hurry(): void
  /** This node has turned it, for all. */
  turned(circuit: CircuitRecord): void
}

/** With which right a call goes: as any other, or as the one that looks whether the other side is up again. */
export type Passage = 'plain' | 'probe'

/**
 * A dependency's circuit as one node sees it: the store's record for all nodes, and the failures that were counted here. After an
 * outage one call probes; then they come back in waves, each twice as large as the one before, as long as they go well.
 */
export class Circuit {
  readonly #dependency: string
  readonly #host: CircuitHost
  #policy: CircuitPolicy
  #record: CircuitRecord | undefined
  /** Failures in a row, by the monotonic clock. */
  #failedAtMs: number[] = []
  /** It opens just now: this node's calls stop before all others hear of it. */
  #isOpening = false
  /** This node holds the right to probe: `free` until a call goes with it. */
  #probe: 'none' | 'asked' | 'free' | 'out' = 'none'
  /** How many may go at once after an outage; undefined: as many as the limits allow. */
  #wave: number | undefined
  #timer: Timer | undefined

  constructor(dependency: string, policy: CircuitPolicy, host: CircuitHost) {
    this.#dependency = dependency
    this.#policy = policy
    this.#host = host
  }

  get record(): CircuitRecord | undefined {
    return this.#record
  }

  /** How many may go at once after an outage; undefined: no outage is near. */
  get wave(): number | undefined {
    return this.#wave
  }

  declare(policy: CircuitPolicy): void {
    this.#policy = policy
  }

  /** Whether no call goes, but for a probe. */
  get isOpen(): boolean {
    return this.#isOpening || (this.#record !== undefined && this.#record.state !== 'closed')
  }

  /** Whether a run may begin, beside so many that are under way. */
  hasRoom(active: number): boolean {
    if (this.isOpen) return this.#mayProbe && active === 0
    return this.#wave === undefined || active < this.#wave
  }

  /** With which right a call goes now; undefined: with none. */
  async enter(): Promise<Passage | undefined> {
    if (!this.isOpen) return 'plain'
    if (this.#mayAsk) await this.#ask()
    if (!this.isOpen) return 'plain'
    if (!this.#mayProbe) return undefined
    this.#probe = 'out'
    return 'probe'
  }

  /** Whether a call that entered so may still go: the circuit may have turned while it waited for its turn. */
  mayGo(passage: Passage): boolean {
    return passage === 'probe' ? this.isOpen && this.#probe === 'out' && this.#lasts : !this.isOpen
  }

  /** A call was not made after all. */
  forgo(passage: Passage): void {
    if (passage === 'plain' || this.#probe !== 'out') return
    this.#probe = 'free'
    this.#host.changed()
  }

  /** The other side answered, whatever it said. */
  answered(passage: Passage): void {
    this.#failedAtMs = []
    if (passage === 'probe') this.#turn('closed', undefined, 'recovered')
    else if (this.#wave !== undefined && !this.isOpen) {
      this.#wave = this.#wave >= limits.waveEnd ? undefined : this.#wave + 1
      this.#host.changed()
    }
  }

  /**
   * A call failed: enough of them open the circuit.
   *
   * @param restMs for so long the other side asked to be left alone: it is not probed before
   */
  failed(passage: Passage, verdict: CallVerdict, restMs = 0): void {
    const { failures, withinMs } = this.#policy
    const cooldownMs = Math.max(this.#policy.cooldownMs, Math.min(restMs, limits.retryAfterPauseMs))
    if (passage === 'probe') {
      this.#turn('open', cooldownMs, verdict === 'configuration' ? 'configuration' : 'probe')
      return
    }
    if (this.isOpen) return
    const nowMs = this.#host.clock.monotonicMs()
    this.#failedAtMs = [...this.#failedAtMs.filter((atMs) => atMs > nowMs - withinMs), nowMs].slice(-failures)
    if (this.#wave !== undefined) this.#wave = Math.max(1, Math.floor(this.#wave / 2))
    if (verdict === 'configuration') this.#turn('open', cooldownMs, 'configuration')
    else if (this.#failedAtMs.length >= failures) this.#turn('open', cooldownMs, 'failures')
  }

  /** The store's record, as the settings or a turn told it; an older one than is known changes nothing. */
  learn(record: CircuitRecord | undefined): void {
    if (!record || record.version <= (this.#record?.version ?? 0)) return
    const wasOpen = this.isOpen
    this.#record = record
    this.#isOpening = false
    const isMine = record.state === 'probing' && record.actor === this.#host.node
    if (!isMine) this.#probe = 'none'
    if (record.state === 'closed' && wasOpen) this.#wave = 1
    if (record.state !== 'closed') this.#failedAtMs = []
    this.lookForProbe()
    this.#host.changed()
  }

  /** A run waits for it, or it was told of: who may probe does so in time. */
  lookForProbe(): void {
    this.#timer?.cancel()
    const { probeAt, state } = this.#record ?? {}
    if (state === undefined || state === 'closed' || probeAt === undefined || this.#probe === 'asked') return
    if (!this.#host.isWaitedFor()) return
    const inMs = probeAt - this.#host.now()
    if (inMs <= 0) {
      void this.#ask()
      return
    }
    // How another's probe went is heard with a beat: not waited for until the next one comes by itself, while runs wait.
    const isOthers = state === 'probing' && this.#record?.actor !== this.#host.node
    const lookMs = isOthers ? Math.min(inMs, limits.probeLookMs) : inMs
    const look = () => {
      if (lookMs < inMs) this.#host.hurry()
      this.lookForProbe()
    }
    this.#timer = this.#host.clock.setTimer(lookMs, look, { unref: true })
  }

  /** The store could not be heard: in a while it may be. */
  #lookAgain(): void {
    this.#timer?.cancel()
    this.#timer = this.#host.clock.setTimer(limits.pollMaxMs, () => this.lookForProbe(), { unref: true })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  get #mayProbe(): boolean {
    return this.#probe === 'free' && this.#lasts
  }

  /** Whether the right to probe lasts for as long as a call may take: after that another may have it, and this node not know. */
  get #lasts(): boolean {
    const { probeAt } = this.#record ?? {}
    return probeAt !== undefined && this.#host.now() + this.#policy.timeoutMs <= probeAt
  }

  /** The cooldown is over, and nobody is known to probe: a probe that was not heard of in time was lost. */
  get #mayAsk(): boolean {
    const { probeAt } = this.#record ?? {}
    return this.#probe !== 'asked' && probeAt !== undefined && this.#host.now() >= probeAt
  }

  async #ask(): Promise<void> {
    this.#probe = 'asked'
    const circuit = await this.#asked('probing', this.#policy.timeoutMs + limits.probeGraceMs, 'probe')
    // What was asked for may have been granted to another, or not been heard.
    if (this.#probe !== 'asked') return
    const isMine = circuit?.state === 'probing' && circuit.actor === this.#host.node
    this.#probe = isMine ? 'free' : 'none'
    if (!circuit) this.#lookAgain()
    // A right that nothing came of ends, too.
    else if (isMine) this.lookForProbe()
    this.#host.changed()
  }

  #turn(state: 'open' | 'closed', probeInMs: number | undefined, reason: string): void {
    if (state === 'open') this.#isOpening = true
    this.#failedAtMs = []
    void this.#asked(state, probeInMs, reason).then((circuit) => {
      this.#isOpening = false
      if (circuit) return
      // The store was not heard: what this node found out holds for it alone, until it is asked again.
      this.#probe = 'none'
      this.#lookAgain()
      this.#host.changed()
    })
    this.#host.changed()
  }

  /** Asks the store for a turn, and learns how the circuit is then; undefined where the store could not be heard. */
  async #asked(state: CircuitTurn['state'], probeInMs: number | undefined, reason: string) {
    const { node, log } = this.#host
    const turn = {
      dependency: this.#dependency,
      seen: this.#record?.version ?? 0,
      state,
      probeInMs,
      reason,
      actor: node,
    }
    try {
      const { applied, circuit } = await this.#host.turn(turn)
      this.learn(circuit)
      if (applied && circuit) this.#host.turned(circuit)
      return circuit
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      log.warn('a circuit could not be turned', { dependency: this.#dependency, state, error: text })
      return undefined
    }
  }
}
