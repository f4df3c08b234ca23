import { limits } from '../../kit/limits.ts'
import { optional, text } from '../fields.ts'

/** Until tokens say who calls, the caller does: only who reaches a loopback address can. */
export const actor = optional(text('By whose hand: kept on record.', limits.reasonLength))

export function actorOf(body: { readonly actor: string | undefined }): string {
  return body.actor ?? 'http'
}
