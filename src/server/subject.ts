import type { AcceptEvent, HapaxCore } from '../engine/api.ts'
import type { ErrorCode } from '../errors/catalogue.ts'
import type { HandlerRecord } from '../event/handler-record.ts'
import type { HttpIngress } from '../ingress/http-ingress.ts'
import type { Source } from '../sources/source.ts'

/** What a server serves: a Hapax with its ways in. */
export interface Served extends Omit<HapaxCore, 'accept'> {
  readonly accept: AcceptEvent
  readonly sources: readonly Source[]
  readonly ingress: HttpIngress
  /** The handlers of the store's registry, of every group. */
  handlers(): Promise<readonly HandlerRecord[]>
  /** Counts a request that was turned away. */
  reject(source: string, code: ErrorCode): void
}
