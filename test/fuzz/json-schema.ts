import fc from 'fast-check'

/** As much of JSON Schema (2020-12) as openapi.json uses: values made from a schema, and values held against one. */
export type Schema = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const numberOf = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Follows `#/components/schemas/…`. */
function resolved(schema: Schema, schemas: Schema): Schema {
  const name = textOf(schema.$ref).split('/').at(-1) ?? ''
  const found = schemas[name]
  return name !== '' && isRecord(found) ? found : schema
}

/** Values that fit a schema. */
export function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...listOf(schema.enum))
  if (Array.isArray(schema.examples)) return fc.constantFrom(...listOf(schema.examples))
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'integer') {
    const [min, max] = [numberOf(schema.minimum, 0), numberOf(schema.maximum, Number.MAX_SAFE_INTEGER)]
    return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max: Math.min(max, min + 1_000) }))
  }
  if (typeof schema.pattern === 'string') {
    const words = [...schema.pattern.matchAll(/[a-z]+/g)].map(([word]) => word)
    return fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 3 }).map((list) => list.join(','))
  }
  if (schema.type === 'string') {
    const longest = numberOf(schema.maxLength, 20)
    return fc.oneof(
      // Not of spaces alone, which a reason may not be.
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
        .map((text) => `a${text}`.slice(0, longest))
        .filter((text) => text.isWellFormed()),
      fc.constant('x'.repeat(longest)),
    )
  }
  return fc.jsonValue({ maxDepth: 3 })
}

/** Values of one field that do not fit it; none where all JSON does. `canary` is in each text. */
export function misfitsOf(schema: Schema, canary: string): readonly unknown[] {
  const others = [null, [canary], { canary }]
  if ('const' in schema) return [...others, false, canary, 0]
  if (Array.isArray(schema.enum)) return [...others, canary, `${listOf(schema.enum)[0]} `]
  if (schema.type === 'boolean') return [...others, canary, 0, 'TRUE']
  if (schema.type === 'integer') {
    const [min, max] = [numberOf(schema.minimum, 0), numberOf(schema.maximum, Number.MAX_SAFE_INTEGER)]
    return [...others, canary, min - 1, max + 1, 0.5, true, '', '1e3', '0x1', ' 1', '9'.repeat(30)]
  }
  if (typeof schema.pattern === 'string') return [...others, canary, 'completed,', ',completed', 'completed, dead']
  if (schema.type === 'string') return [...others, '', 5, true, canary + 'x'.repeat(numberOf(schema.maxLength, 20))]
  return []
}

/** Where a value does not fit a schema, in words; none where it does. */
export function faultsOf(schema: Schema, value: unknown, schemas: Schema, at = '$'): string[] {
  const one = resolved(schema, schemas)
  if (Array.isArray(one.oneOf)) {
    const fits = one.oneOf.filter((choice) => isRecord(choice) && faultsOf(choice, value, schemas, at).length === 0)
    if (fits.length !== 1) return [`${at} fits ${fits.length} of its choices`]
  }
  if ('const' in one && value !== one.const) return [`${at} is not ${String(one.const)}`]
  if (Array.isArray(one.enum) && !one.enum.includes(value)) return [`${at} is none of its words`]
  const isOf: Readonly<Record<string, boolean>> = {
    string: typeof value === 'string',
    boolean: typeof value === 'boolean',
    number: typeof value === 'number',
    integer: Number.isInteger(value),
    array: Array.isArray(value),
    object: isRecord(value),
  }
  if (typeof one.type === 'string' && !isOf[one.type]) return [`${at} is no ${one.type}`]
  if (typeof value === 'string' && value.length < numberOf(one.minLength, 0)) return [`${at} is too short`]
  if (typeof value === 'number' && value < numberOf(one.minimum, Number.NEGATIVE_INFINITY))
    return [`${at} is too small`]
  if (Array.isArray(value)) {
    const { items } = one
    return isRecord(items) ? value.flatMap((item, index) => faultsOf(items, item, schemas, `${at}[${index}]`)) : []
  }
  if (!isRecord(value)) return []
  const properties = isRecord(one.properties) ? one.properties : {}
  const asked = Object.entries(isRecord(one.dependentRequired) ? one.dependentRequired : {})
  const wanted = [...listOf(one.required), ...asked.flatMap(([name, others]) => (name in value ? listOf(others) : []))]
  const missing = wanted.filter((name) => !(textOf(name) in value))
  return [
    ...missing.map((name) => `${at}.${String(name)} is missing`),
    ...Object.entries(value).flatMap(([name, member]) => {
      const inner = properties[name] ?? one.additionalProperties
      return isRecord(inner) ? faultsOf(inner, member, schemas, `${at}.${name}`) : []
    }),
  ]
}
