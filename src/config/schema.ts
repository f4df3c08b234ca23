import { limits } from '../kit/limits.ts'

/** One scalar option: said once, here; the loader, the environment, the command line and the docs are made from it. */
export interface Option {
  /** Where it is in the config file, like `server.port`. */
  readonly path: string
  /** `list`: in the file a list of texts; elsewhere one text, with commas. */
  readonly type: 'text' | 'number' | 'duration' | 'list'
  /** As a person writes it; undefined: there is none. */
  readonly default: string | number | undefined
  readonly unit?: string
  readonly env: string
  /** Shown nowhere: not in logs, errors or docs' examples. */
  readonly secret?: boolean
  readonly sentence: string
}

const option = (
  path: string,
  type: Option['type'],
  fallback: Option['default'],
  sentence: string,
  more: Pick<Option, 'unit' | 'secret'> = {},
): Option => ({ path, type, default: fallback, env: envName(path), sentence, ...more })

/** `server.port` is `HAPAX_SERVER_PORT`. */
function envName(path: string): string {
  return `HAPAX_${path
    .replaceAll('.', '_')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`
}

/** Every scalar option of the configuration. */
export const options: readonly Option[] = [
  option(
    'store',
    'text',
    'sqlite:hapax.db',
    'Where events are kept: `sqlite:path/to/file.db`, `postgres://user@host/database?schema=hapax`, or `memory:` for tests.',
  ),
  option(
    'migrate',
    'text',
    undefined,
    '`check` refuses a store that is missing or of an earlier version, `auto` makes or upgrades it. By default `auto`, on PostgreSQL `check`.',
  ),
  option('group', 'text', 'default', 'Nodes of one group run the same handlers; several groups may share a store.'),
  option(
    'key',
    'text',
    undefined,
    'Secret that wraps the fingerprint keys in the store. Without it they are kept as they are.',
    { secret: true },
  ),
  option('concurrency', 'number', limits.concurrency, 'Runs that execute at once on a node.', { unit: 'runs' }),
  option('lease', 'duration', '8s', 'How long a silent node keeps its shards before another takes over.'),
  option('beat', 'duration', '2s', 'How often a node renews its lease: at most a third of it.'),
  option('grace', 'duration', '25s', 'How long a stop waits for runs before it hands them back.'),
  option('server.host', 'text', '127.0.0.1', 'The address to listen on. Without tokens only loopback is allowed.'),
  option('server.port', 'number', 4400, 'The port to listen on; 0 takes a free one.'),
  option(
    'server.hosts',
    'list',
    undefined,
    'Host names by which the API may be called, beside those of loopback: of a proxy in front of it.',
  ),
  option(
    'retention.payloads',
    'duration',
    '30d',
    'How long a body is kept, from the acceptance of its event; longer while a run of it is unfinished, unknown or dead.',
  ),
  option(
    'retention.journal',
    'duration',
    '90d',
    'How long an event is kept with its history, from its acceptance; longer while a run of it is unfinished, unknown or dead.',
  ),
  option(
    'retention.identities',
    'duration',
    '90d',
    'How long an identity is remembered, from the acceptance; longer while its event is kept. A resend after that is a new event.',
  ),
  option('log.level', 'text', 'info', 'The least that is logged: `debug`, `info`, `warn` or `error`.'),
]

/** What a config file may hold beside the scalar options. */
export const lists: readonly { readonly path: string; readonly sentence: string }[] = [
  {
    path: 'sources',
    sentence: 'Where events come from: `stripe({ … })`, `github({ … })` and the like; each is one endpoint.',
  },
  { path: 'handlers', sentence: 'What processes events: `handler(name, { … }, async (event, run) => …)`.' },
  {
    path: 'alerts',
    sentence:
      'Where people are told: `slackAlert({ … })`, `webhookAlert({ … })`, `logAlert()` of `hapax/alerts`; see [alerts](alerts.md). Without them the log has it, at `warn`.',
  },
  {
    path: 'schedules',
    sentence: 'What is called at certain times: `schedule(name, cron, { … }, async (event, run) => …)`.',
  },
]

/** docs/configuration.md. */
export function configurationPage(): string {
  const rows = options.map(
    ({ path, type, default: fallback, unit, env, sentence }) =>
      `| \`${path}\` | ${type}${unit ? ` (${unit})` : ''} | ${fallback === undefined ? '' : `\`${fallback}\``} | \`${env}\` | ${sentence} |`,
  )
  return `# Configuration

A config file is a module: \`export default defineConfig({ … })\`, in TypeScript or JavaScript, loaded by Node as it is.
Precedence: flag, environment, file, default. All mistakes are reported at once. This page is made from
\`src/config/schema.ts\`.

| option | type | default | environment | what it says |
|---|---|---|---|---|
${rows.join('\n')}

Durations are a number of milliseconds, or a number with its unit: \`250ms\`, \`10s\`, \`5m\`, \`2h\`, \`7d\`.

${lists.map(({ path, sentence }) => `- \`${path}\`: ${sentence}`).join('\n')}
`
}
