/** What a store can and cannot do, as data: conformance cases and handlers read it. */
export interface Abilities {
  /** Whether identity and event can be committed together with a shard elsewhere. False: a durable hand-over follows. */
  readonly acceptSpans: boolean
  /** Whether `run.transaction` and transactional accepts work. */
  readonly transaction: boolean
  /** Whether several processes can share it. */
  readonly manyNodes: boolean
  /** Whether what was committed is there after the process is gone. */
  readonly survivesRestart: boolean
  /** Whether retention drops each event at its time, or whole ranges of time when the youngest of them is old enough. */
  readonly retention: 'exact' | 'ranges'
}
