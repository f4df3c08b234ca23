/** What every decision begins with: whose it is, and of which attempt. */
const fenceColumns = {
  group_name: 'text',
  shard: 'integer',
  epoch: 'bigint',
  key: 'uuid',
  tag: 'text',
  generation: 'integer',
  attempt: 'integer',
} as const

/**
 * What a commit's items are on the server: a composite type each, so that a list is one parameter and its rows come from
 * one `unnest`. As an array for each column, 70 parameters took 0.5 ms of each call, and a row twice the time to write.
 *
 * The names carry the version of the functions that read them; columns in the order in which `params.ts` packs them.
 */
export const itemTypes = {
  accept_item_1: {
    key: 'uuid',
    shard: 'integer',
    identity: 'uuid',
    registry_version: 'integer',
    fingerprint_key: 'integer',
    flags: 'integer',
    handed_epoch: 'bigint',
    window_ms: 'double precision',
    content_window_ms: 'double precision',
    tenant: 'text',
    source: 'text',
    id: 'text',
    type: 'text',
    fingerprint: 'text',
    content_type: 'text',
    handed_group: 'text',
    order_key: 'text',
    rest: 'text',
    bytes: 'bytea',
  },
  begin_item_1: {
    ...fenceColumns,
    step: 'text',
    address: 'text',
    at: 'double precision',
  },
  checkpoint_item_1: {
    ...fenceColumns,
    step: 'text',
    value: 'text',
    rest: 'text',
  },
  settle_item_1: {
    ...fenceColumns,
    turn: 'integer',
    status: 'integer',
    since: 'double precision',
    due_at: 'double precision',
    seen: 'bigint',
    attempted_at: 'double precision',
    handler: 'text',
    handler_version: 'text',
    result: 'text',
    rest: 'text',
    keep: 'text',
    alone: 'boolean',
  },
} as const

/** A type of items. */
export type ItemType = keyof typeof itemTypes

/** The types' own numbers on the server, which a binary array names. */
export type ItemTypeOids = Readonly<Record<ItemType, number>>

/** Asks for the {@link ItemTypeOids}; `:s` stands for the schema. */
export const itemTypeOids = `select ${namesOfTypes()
  .map((name) => `to_regtype(':s.${name}')::oid as ${name}`)
  .join(', ')}`

/** The columns of a list's rows behind `unnest(…) with ordinality`, and the place of each row. */
export function rowsOf(type: ItemType, alias = 'u'): string {
  return `${alias}(${Object.keys(itemTypes[type]).join(', ')}, place)`
}

/** The types are made once: what they hold belongs to their version. Texts compare by their bytes, as in the tables. */
export const itemTypeStatements = namesOfTypes()
  .map((name) => {
    const columns = Object.entries(itemTypes[name]).map(
      ([column, type]) => `${column} ${type}${type === 'text' ? ' collate "C"' : ''}`,
    )
    return `do $type$ begin
  create type :s.${name} as (${columns.join(', ')});
exception when duplicate_object then null;
end $type$;`
  })
  .join('\n')

function namesOfTypes(): ItemType[] {
  return ['accept_item_1', 'begin_item_1', 'checkpoint_item_1', 'settle_item_1']
}
