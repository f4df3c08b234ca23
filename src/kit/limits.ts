/**
 * Every maximum and default span in the product, with its unit and reason. A number that bounds something lives here.
 */
export const limits = {
  /** Largest request body in bytes: payment webhooks stay under 100 kB; GitHub caps at 25 MB, which a source may allow. */
  bodyBytes: 1_048_576,
  /** Deepest JSON nesting: 5,000 levels parse but overflow JSON.stringify's stack; real payloads stay under 20. */
  jsonDepth: 64,
  /** Most keys of one JSON object: 10,000 keys hashed into one object cost 2 ms of the event loop. */
  jsonKeys: 10_000,
  /** Longest number in a JSON text, in characters: a bigint of 1,000 digits costs 6 µs to make, one of a million 94 ms. */
  numberLength: 1_000,
  /** Longest event id, order key or tenant, in UTF-8 bytes: what an index of every store takes. */
  idBytes: 255,
  /** Longest source, type, handler or group name, in characters. */
  nameLength: 128,
  /** Longest step name, in characters. */
  stepNameLength: 200,
  /** Largest step result, signal or handler result as JSON, in bytes. */
  resultBytes: 1_048_576,
  /** Longest error text kept, in characters: enough for a stack's head, too little for a body echoed into it. */
  errorTextLength: 2_000,
  /** What is kept of the failure of a step whose error the handler caught, in characters. */
  failureTextLength: 200,
  /** Headers kept with an event, and the longest value kept, in characters. */
  headersKept: 64,
  headerLength: 4_096,
  /** Runs that one call of a batching handler takes: each holds a slot meanwhile. */
  batchRuns: 1_000,
  /** Events of one CloudEvents batch. */
  batchEvents: 1_000,
  /** Bytes of request bodies held at once by a process; more get `too_many_requests`: 10,000 slow senders of 1 MiB are 10 GB. */
  ingressBytes: 268_435_456,
  /** Request line and headers together, in bytes, and how many headers: providers send under 4 kB and 30. */
  headerBytes: 16_384,
  headerCount: 100,
  /** Connections of one server: each idle one costs some 10 kB. */
  connections: 10_000,
  /** Headers, and the whole request, must have come by then; Node's own 60 s and 300 s let a few senders hold all. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** An idle connection is kept for a sender's next request: longer than the 60 s at which common proxies let go. */
  keepAliveMs: 65_000,
  /** After an early refusal, what a sender still sends is thrown away for this long and this far, so that it reads the answer. */
  lingerMs: 1_000,
  lingerBytes: 4_194_304,
  /** What a 429 or 503 asks to wait, in seconds. */
  retryAfterSeconds: 1,
  /** Longest reason or actor of a verb, in characters. */
  reasonLength: 1_000,
  /** Accepts that wait for a commit in one process; more get `too_many_requests`, before memory does it for us. */
  acceptsWaiting: 20_000,
  /** Items of one commit: beyond this a flush's latency grows faster than its throughput (SQLite: 512 items, 6 ms). */
  commitItems: 512,
  /** Bytes of one commit, so that 512 bodies of 1 MiB never gather in one message. */
  commitBytes: 8_388_608,
  /** Memory of a node for filters of the ledger's sealed generations on PostgreSQL: 20 bits each of some 50 million identities. */
  ledgerFilterBytes: 134_217_728,
  /** Runs executing at once on a node, by default. */
  concurrency: 100,
  /** Runs a node holds in memory per group, ready or running; deeper backlog stays in the store and is paged. */
  runsHeld: 4_000,
  /** Runs a node knows of and cannot begin: behind the head of their order key, or paused. Some 500 bytes each. */
  runsAside: 100_000,
  /** Of one order key, however many wait in all: the key is read anew once for so many of its runs. */
  runsAsidePerKey: 16,
  /** Longest window of a burst: its runs are read again by each new owner of their shard. */
  coalesceWindowMs: 3_600_000,
  /** Runs of one burst that wait at once: of more, those between the first and the last are settled before its window is over. */
  burstRuns: 1_000,
  /** Longest key of a burst, in characters: it is held for each burst that is open. */
  coalesceKeyLength: 1_000,
  /** Events of one page of `tail` or `due`. */
  pageEvents: 500,
  /** Attempts over a run's whole generation, whatever its policy: 100 at the default pace is four days. */
  maxAttempts: 100,
  /** Lost leases of a begun run before it is dead as `crash_loop`: a poison event must not wear a cluster out. */
  lostLeases: 5,
  /** Lease of a node, and how often it is renewed: three beats may be lost. */
  leaseMs: 8_000,
  beatMs: 2_000,
  /** After which a store over a network that gave no reply is taken to be cut off; a commit is asked again then. */
  storeReplyMs: 10_000,
  /** The same for what may take long: a search, a migration, retention. */
  storeWorkMs: 3_600_000,
  /** Poll of the tail: fast while work comes, slow when idle. */
  pollMinMs: 250,
  pollMaxMs: 1_000,
  /** After so long with nothing to do the beat looks in the stead of the poll, where the store hears of what comes. */
  restAfterMs: 10_000,
  /** Runs that will be due are looked for on time; besides, so often, for what this node was not told of. */
  dueLookMs: 10_000,
  /** Grace of a stop: what runs longer is handed back. */
  graceMs: 25_000,
  /** After the grace, how long runs that were asked to end, and then their last records, are waited for. */
  lastWordMs: 1_000,
  /** An attempt and a step, by default. */
  handlerTimeoutMs: 60_000,
  stepTimeoutMs: 30_000,
  /** How long after a step's timeout its function may still be running before the step is tried again. */
  stepSettleMs: 30_000,
  /** A sleep or wait shorter than this keeps its slot: suspending costs two commits. */
  shortWaitMs: 1_000,
  /** A step key is safe to repeat for this long after the step's first attempt, by default: the shortest provider memory (Stripe v1: 24 h). */
  keyTtlMs: 86_400_000,
  /** Unclaimed events this young are given to a handler that appears, by default: a rolling deploy. */
  pickUpMs: 3_600_000,
  /** What happens again within this of its alert, and of each that follows, is gathered into one: people read, not machines. */
  alertWindowMs: 300_000,
  /** How often a state that lasts is told again. */
  alertLastingMs: 3_600_000,
  /** Kinds and subjects told apart at once; what is beyond is told as `others` of its kind. */
  alertSubjects: 1_000,
  /** Alerts that wait for one channel; more are logged as lost: by then nobody reads them there. */
  alertsQueued: 100,
  /** One try of a delivery, and how many there are. */
  alertTimeoutMs: 10_000,
  alertTries: 5,
  /** Longest text of a chat message, in characters: Discord, called as Slack is, takes 2,000. */
  alertTextLength: 1_500,
  /** Sweeps that fail in a row before an alert: one may meet a restart of the store. */
  maintenanceFailures: 3,
  /** How often it is looked whether maintenance works: the look costs some statements. */
  maintenanceLookMs: 3_600_000,
  /** A sweep that has not ended by then hangs: longer than the store may take for it. */
  maintenanceIdleMs: 7_200_000,
  /** How long a run waits for a deploy that brings its handler before it looks again; a shard is given away for it as often. */
  noHandlerLookMs: 30_000,
  /** How long after a change of the registry another node may still accept by the one before: some beats. */
  registrySpreadMs: 60_000,
  /** Later than this, and a lease, a schedule's tick counts as missed: a takeover and a restart fit into it. */
  tickLateMs: 30_000,
  /** Missed ticks that a schedule with `missed: 'all'` makes up for: of a minute's, 16 hours. To find them takes 50 ms. */
  missedTicks: 1_000,
  /** How often a schedule is looked at beside its ticks: the store's clock may have been set meanwhile. */
  tickLookMs: 10_000,
  /** How many ticks back the last one that came is looked for, where schedules are listed. */
  ticksLookedBack: 10,
  /** Retention by default. */
  payloadRetentionMs: 30 * 86_400_000,
  journalRetentionMs: 90 * 86_400_000,
  identityRetentionMs: 90 * 86_400_000,
  /** Rows of one sweep step, so that the writer is never held for longer than some milliseconds. */
  sweepRows: 500,
  /** Bodies read at once for fingerprints that are missing: at 1 MiB each. */
  fingerprintRows: 32,
  /** How long an operator's verb waits for its owner's answer before the API answers 202. */
  interventionWaitMs: 5_000,
  /** Tenants whose fingerprint key is held in memory; beyond it they are read again. */
  tenantKeysHeld: 10_000,
  /** (source, type) pairs whose handlers are held in memory. */
  routesHeld: 10_000,
  /** Events that one shard gets in a row: a commit then touches, and fences, few of them, not as many as it has events. */
  shardPicks: 16,
  /** Redrives whose progress a process remembers. */
  redrivesHeld: 100,
  /** Runs of one redrive that were asked and not answered yet: at 100 a second, an answer may take half a second. */
  redriveOpen: 50,
  /** Larger bodies of a page are read for those events alone that are taken of it: a takeover looks at 2,000 to take 500. */
  tailBodyBytes: 16_384,
  /** Events whose runs one statement reads: as many duplicates as a commit may answer. */
  gatheredKeys: 512,
  /** Such statements of a process under way at once: they share its connections with commits and tails. */
  gatheredStatements: 2,
  /** How far a rate catches up with timers that fired late. */
  rateCatchUpMs: 10,
  /** So much slower than its rate each goes, so that what is caught up with within a second is no more than the rate says. */
  rateMargin: 0.025,
  /** Turns of a rate that were missed are made up for as far back as this: a busy event loop stands still for 30 ms and more. */
  rateCreditMs: 250,
  /** So much less than its rate goes within any second in which turns are made up for: one call's way is longer than another's. */
  rateCreditMargin: 0.04,
  /** How long a call waits for its turn and a slot before its run is deferred, by default: it holds a slot of its node. */
  callWaitMs: 5_000,
  /** A call of a dependency, by default. */
  callTimeoutMs: 10_000,
  /** A circuit's defaults: it opens after so many failures in a row within this span, and is probed after that one. */
  circuitFailures: 5,
  circuitWithinMs: 30_000,
  circuitCooldownMs: 15_000,
  /** A probe whose node was lost is taken for failed so long after the call's timeout. */
  probeGraceMs: 5_000,
  /** While another node probes, and runs wait here, a beat asks so often how it went. */
  probeLookMs: 500,
  /** After an outage, once so many go at once, there is no herd any more. */
  waveEnd: 512,
  /** Beats that a node asks for out of turn, since it has too little of a limit, are so far apart at least. */
  shareBeatMs: 250,
  /** Runs that wait for a dependency and keep their event in memory: the others read it when they begin. */
  lineHeld: 100,
  /** Of a node's slots, the part that runs of dependencies never take: so that those of other handlers go on. */
  slotsKept: 0.1,
  /** Longest a `Retry-After` defers one run: quotas are of a day at most, and a slip of the other side must not be for ever. */
  retryAfterMs: 86_400_000,
  /** Longest it holds up a whole node's calls: it may be meant for one account, and to ask again after this costs one call. */
  retryAfterPauseMs: 300_000,
  /** Of an answer's body, what a fetch reads while it is still a call, in bytes: as much as a step may keep. */
  responseBytes: 1_048_576,
  /** Of the body of an answer that is an error, in bytes: error documents are some hundred, HTML pages of proxies some thousand. */
  errorBodyBytes: 65_536,
  /** Answers that a node keeps of cached fetches, and their bytes in all. */
  cachedAnswers: 1_000,
  cachedBytes: 33_554_432,
  /** Items of one page of a list. */
  pageItems: 200,
} as const
