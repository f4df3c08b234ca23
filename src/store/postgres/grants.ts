import { HapaxError } from '../../errors/hapax-error.ts'
import type { Connections } from './connection.ts'
import type { Naming } from './schema.ts'

/**
 * What a role needs that serves and does not migrate, in the schema as it is and in what later migrations of the same owner
 * add. It makes, changes and drops nothing in the schema.
 */
export function grantStatements({ schema }: Naming, role: string): string[] {
  const to = `to ${quotedName(role)}`
  const within = `in schema "${schema}"`
  const rights = [
    ['select, insert, update, delete', 'tables'],
    ['usage', 'sequences'],
    ['execute', 'functions'],
  ] as const
  return [
    `grant usage on schema "${schema}" ${to}`,
    ...rights.map(([right, kind]) => `grant ${right} on all ${kind} ${within} ${to}`),
    // What the schema is, only a migration writes.
    `revoke insert, update, delete on "${schema}".version from ${quotedName(role)}`,
    ...rights.map(([right, kind]) => `alter default privileges ${within} grant ${right} on ${kind} ${to}`),
  ]
}

/**
 * Whether grants to this role make sense: it is there, and is not the one that owns the schema or would make it.
 *
 * @throws `store_refused`, with what to do
 */
export async function checkGrantee(connections: Connections, { schema }: Naming, role: string): Promise<void> {
  const found = await connections.row(
    `select exists (select from pg_roles where rolname = $1) as "isThere",
      coalesce((select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = $2), current_user) = $1 as "owns"`,
    [role, schema],
  )
  if (found.isThere !== true) {
    throw new HapaxError('store_refused', { reason: `there is no role ${role}: create role ${quotedName(role)} login` })
  }
  if (found.owns === true) {
    throw new HapaxError('store_refused', { reason: `role ${role} owns schema ${schema}: nothing is to be granted` })
  }
}

/** Grants them, in one transaction. */
export async function grantRole(connections: Connections, naming: Naming, role: string): Promise<void> {
  await checkGrantee(connections, naming, role)
  // Several statements of one simple query are one transaction.
  await connections.rows(grantStatements(naming, role).join(';\n'))
}

function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
