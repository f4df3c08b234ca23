import { compareBytes } from '../../kit/byte-order.ts'
import type { VersionScope } from '../version-scope.ts'
import { type MemoryState, textOf } from './state.ts'

export function newestVersion(state: MemoryState, scope: VersionScope): string | undefined {
  return state.versions.get(nameOf(scope))?.version
}

/** Only what is greater than what is there counts as raised. */
export function raiseVersion(state: MemoryState, scope: VersionScope, version: string): string {
  const name = nameOf(scope)
  const known = state.versions.get(name)
  if (known && compareBytes(version, known.version) <= 0) return known.version
  state.versions.set(name, { version, raisedAt: state.clock.now() })
  return version
}

function nameOf({ tag, tenant, key }: VersionScope): string {
  return textOf(tag, tenant, key)
}
