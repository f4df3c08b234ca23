/**
 * Every error code of Hapax, once: the HTTP status that an API answers with, what the sentence says, and how to cure it.
 * `{name}` in a template is filled from the error's details. docs/errors.md is generated from this table.
 */
export interface ErrorEntry {
  /** The HTTP status of the problem document (RFC 9457). */
  readonly status: number
  /** What failed, what was wanted, what was found; `{name}` is replaced by the detail of that name. */
  readonly template: string
  /** What the reader can do about it. */
  readonly cure: string
}

const entry = (status: number, template: string, cure: string): ErrorEntry => ({ status, template, cure })

export const catalogue = {
  // --- what came in
  malformed_json: entry(400, 'The body is not valid JSON: {reason}.', 'Send strict JSON (RFC 8259) in UTF-8.'),
  invalid_utf8: entry(400, 'The body is not valid UTF-8.', 'Encode the body as UTF-8 without a byte order mark.'),
  duplicate_key: entry(400, 'The JSON body names a key twice in one object, at {path}.', 'Send every key once.'),
  too_deep: entry(400, 'The JSON body nests deeper than {limit} levels.', 'Flatten the document.'),
  too_many_keys: entry(400, 'An object of the JSON body has more than {limit} keys.', 'Split the document.'),
  too_large: entry(413, 'The body is larger than {limitBytes} bytes.', 'Send less, or raise the body limit.'),
  lone_surrogate: entry(
    400,
    'The JSON body holds a lone surrogate, at {path}.',
    'Escape only whole code points; a lone surrogate cannot be stored.',
  ),
  inexact_number: entry(
    400,
    'The JSON body holds a number that cannot be kept exactly, at {path}.',
    'Send such a number as a string.',
  ),
  unsupported_media_type: entry(
    415,
    'Content of this type or encoding is not taken here: {found}.',
    'Send one of: {wanted}.',
  ),
  invalid_event: entry(400, 'The event is not valid: {reason}.', 'Correct the attribute that is named.'),
  identity_required: entry(
    400,
    'The event has no id, and source {source} does not derive one.',
    "Send the sender's id, or give the source identity: { content, window }.",
  ),
  value_not_json: entry(400, 'A value is not JSON, at {path}: {found}.', 'Pass plain JSON values.'),
  source_unknown: entry(
    404,
    'There is no source of this name.',
    'Check the path, and the sources of the configuration.',
  ),
  not_found: entry(404, 'There is no {what} of this name.', 'Check the path or the key.'),
  method_not_allowed: entry(405, 'This route does not take {method}.', 'Use one of: {allow}.'),
  signature_missing: entry(401, 'The signature is missing.', 'Sign the request as the source demands.'),
  signature_invalid: entry(
    401,
    'The signature does not match the body.',
    'Check the secret and send the body unchanged.',
  ),
  signature_stale: entry(
    401,
    'The signature is outside the tolerance of {toleranceMs} ms.',
    "Check both clocks; a provider's resend signs anew.",
  ),
  source_is_verified: entry(
    403,
    'Source {source} takes events only through its own verified endpoint.',
    'Send to /in/{source}, or name another source.',
  ),
  raw_body_missing: entry(
    400,
    'The body was parsed before Hapax saw its bytes.',
    'Mount Hapax before any body parser: signatures are made over raw bytes.',
  ),
  too_many_requests: entry(429, 'Too many requests wait here: {limit}.', 'Come again after the time in Retry-After.'),
  malformed_request: entry(400, 'The request is not valid HTTP.', 'Send one well-formed HTTP/1.1 request.'),
  request_timeout: entry(408, 'The request did not come whole in time.', 'Send it faster, or in smaller parts.'),
  headers_too_large: entry(431, 'The headers are too many or too large.', 'Send fewer and shorter headers.'),
  host_refused: entry(
    403,
    'This server does not answer to that host name.',
    'Call it as localhost, or list the name in server.hosts.',
  ),
  // --- the store
  store_unavailable: entry(
    503,
    'The store cannot commit: {reason}.',
    'Ask again with the same identity; that is safe.',
  ),
  store_busy: entry(
    503,
    'The store is held by another transaction: {reason}.',
    'Ask again; shorten the open transaction.',
  ),
  store_unknown: entry(
    500,
    'No store is known by the URL scheme {scheme}.',
    'Use one of: memory:, sqlite:path/to/file.db, postgres://user@host/database.',
  ),
  store_refused: entry(500, 'The store refuses to open: {reason}.', 'Do what the reason asks for.'),
  schema_too_new: entry(
    500,
    'The store was written by a newer Hapax: schema {found}, this one knows {wanted}.',
    'Upgrade this process.',
  ),
  identity_in_flight: entry(
    503,
    'Another transaction holds this identity open.',
    'Ask again; the answer is definite once it has committed.',
  ),
  // --- handlers and runs
  step_name_repeated: entry(
    500,
    'The {kind} name "{name}" is used twice in one run.',
    'Give loops a key: run.step(name, { of: item.id, run }).',
  ),
  step_name_invalid: entry(500, 'A step needs a name of 1 to 200 characters; found {found}.', 'Name the step.'),
  result_not_json: entry(500, 'The result is not JSON, at {path}: {found}.', 'Return plain JSON values.'),
  result_too_large: entry(
    500,
    'A result is larger than {limitBytes} bytes: {name}.',
    'Keep the value elsewhere, return its address.',
  ),
  attempt_timeout: entry(
    500,
    'The attempt took longer than {timeoutMs} ms.',
    'Give the handler a longer timeout, or smaller steps.',
  ),
  no_run: entry(
    500,
    'Dependency {dependency} was called outside a run.',
    'Call it inside a handler, in a step: its limits, and what a failure means, are those of a run.',
  ),
  batch_invalid: entry(
    500,
    'A batch of {wanted} events was answered with {found}.',
    'Return nothing, or a list of one result for each item, in their order.',
  ),
  dependency_timeout: entry(
    504,
    'Dependency {dependency} did not answer within {timeoutMs} ms.',
    'Raise its timeout, or find out why it is slow.',
  ),
  fetch_invalid: entry(
    500,
    'What dependency {dependency} was to fetch cannot be sent: {reason}.',
    'Mend the call, then redrive.',
  ),
  step_timeout: entry(500, 'Step "{name}" took longer than {timeoutMs} ms.', 'Give the step a longer timeout.'),
  wait_timeout: entry(500, 'No signal "{name}" came within {timeoutMs} ms.', 'Catch WaitTimeout, or wait longer.'),
  crash_loop: entry(
    500,
    'The run was lost with its node {losses} times.',
    'See why the process dies with it, then redrive.',
  ),
  burst_key_invalid: entry(
    500,
    'The key of a burst cannot be told: {reason}.',
    'Mend the `coalesce.key` of the handler; until then such runs are executed, each by itself.',
  ),
  schema_mismatch: entry(
    500,
    "The event's data does not fit the handler's schema: {reason}.",
    'Mend the schema, then redrive.',
  ),
  version_invalid: entry(
    500,
    'The version of an event cannot be told: {reason}.',
    'Mend the `supersede` of the handler; until then such runs are executed, whatever was processed.',
  ),
  no_handler: entry(
    500,
    'No live node of group {group} has handler {handler}.',
    'Deploy the handler, or cancel the run.',
  ),
  payload_dropped: entry(
    500,
    'The body of the event was dropped by retention.',
    'Keep payloads for as long as runs may be replayed.',
  ),
  run_expired: entry(
    500,
    'The run is older than its handler allows ({expiresMs} ms).',
    'Redrive it if it still matters.',
  ),
  step_in_doubt: entry(
    500,
    'It is not known whether step "{name}" had its effect.',
    'Look at the other side, then resolve the run with a result, repeat or fail.',
  ),
  confirm_invalid: entry(
    500,
    'The confirm of step "{name}" answered {found}; wanted { result }, "absent" or "unsure".',
    'Mend the confirm function, then resolve the run or retry it.',
  ),
  run_ended: entry(409, 'The run ended as {status}: {reason}.', 'See its history; redrive or replay it.'),
  run_unfinished: entry(504, 'The run has not ended in time; it is {status}.', 'Wait longer, or look at the run.'),
  intervention_refused: entry(409, 'The verb {verb} is refused: {reason}.', 'See the status of the run.'),
  undo_unspecified: entry(400, 'The run has steps with an undo.', 'Say undo: true or undo: false.'),
  reason_required: entry(400, 'The verb {verb} needs a reason.', 'Say why, in a few words.'),
  transaction_async: entry(
    500,
    'A transaction on SQLite takes a synchronous function.',
    'Await outside the transaction.',
  ),
  ability_missing: entry(
    500,
    'Handler {handler} needs "{ability}", which the store {store} does not have.',
    'Use a store that has it, or do without.',
  ),
  // --- how it is used
  config_invalid: entry(
    500,
    'The configuration is not valid:\n{problems}',
    'Correct what is named; all of it is listed.',
  ),
  duration_invalid: entry(
    500,
    'Not a duration: {found}.',
    "Give milliseconds as a number, or like '250ms', '10s', '5m', '2h', '7d'.",
  ),
  alert_undelivered: entry(
    502,
    'The alert was not delivered: {reason}.',
    "See whether the channel's address takes it; it is in the log, too.",
  ),
  engine_stopped: entry(503, 'This Hapax is stopping or has stopped.', 'Create a new one, or ask another node.'),
  bind_refused: entry(
    500,
    'The server does not bind to {host} without tokens.',
    'Bind to 127.0.0.1, and put what authenticates in front of it.',
  ),
  invalid_cursor: entry(400, 'The page cursor is not valid.', 'Begin again without a cursor.'),
  invalid_query: entry(400, 'The query is not valid: {reason}.', 'Correct the parameter that is named.'),
  server_unreachable: entry(
    503,
    'No Hapax server answers at {url}: {reason}.',
    'Start one with hapax serve, or correct the address.',
  ),
  usage: entry(400, '{reason}', 'See hapax help.'),
  internal: entry(500, 'Something failed inside Hapax.', 'See the log of this process under the time of the request.'),
} as const satisfies Record<string, ErrorEntry>

/** One of the codes that {@link catalogue} lists. */
export type ErrorCode = keyof typeof catalogue

/**
 * Words that stand where a code may stand, and that no error bears: how an accept came out, why a run stands as it does,
 * why a verb was refused. Each with what it says and what the reader can do; the second table of docs/errors.md.
 */
export const reasons = {
  conflict: [
    'A receipt: an event of this identity was accepted before with other content.',
    'Use a new id for new content; the first event stands.',
  ],
  same_signed_content: [
    'A receipt: the id is new and unsigned, the signed content was seen before.',
    'Nothing: the first event stands.',
  ],
  attempts_exhausted: [
    'A dead run: it failed as often as its policy allows. Its `error` is the last failure.',
    'Mend the cause, then redrive.',
  ],
  coalesced: [
    'A completed run: it never began, since a later one of its burst was executed. Its result names that one.',
    'Nothing. Replay it if it is wanted all the same.',
  ],
  undo_failed: ['An unknown run: a step could not be undone.', 'Look at the other side, then resolve the run.'],
  undone: ['A dead or cancelled run: its steps were undone.', 'Replay it with new keys if it is still wanted.'],
  released: ['A dead run that no longer holds its order key.', 'Nothing: the runs behind it go on.'],
  superseded: [
    'A completed run: a newer version of the same thing was processed already. Its result names that one.',
    'Nothing. What is older is not executed by a replay, either.',
  ],
  never_ran: ['A refused replay: the run has not settled once.', 'Wait for it, or look at what holds it.'],
  step_unknown: ['A refused replay or resolve: the run has no step of this name.', 'See the steps of the run.'],
  undo_begun: ['A refused verb: undoing has begun.', 'Replay the run with new keys once it has ended.'],
  undone_needs_new_keys: [
    'A refused replay: the run was undone, and its keys were used.',
    'Replay from its start with newKeys: true.',
  ],
} as const satisfies Record<string, readonly [says: string, cure: string]>
