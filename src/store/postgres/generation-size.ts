import { limits } from '../../kit/limits.ts'

/** What the table of a generation takes for an identity. */
const identityBytes = 68

/** What a node's filter takes for it. */
const filterBytes = 2.5

/**
 * 2 million identities. After a checkpoint each of a generation's 10,000 leaf pages goes to the log once more, 55 MB; each
 * sealed generation costs a node 0.06 µs for a look at its filter, and accepts in a caller's transaction or by SQL 2 to 3 µs.
 */
const leastBytes = 2_000_000 * identityBytes

/** Sealed ones of so much can be in the filters of a node. */
const filteredBytes = (limits.ledgerFilterBytes / filterBytes) * identityBytes

/** The next is this part of them all: their number grows with the logarithm. */
const partOfFiltered = 10

/** The same where filters have no room for all: there each costs the server a look of 2 to 3 µs for each accept. */
const partOfSealed = 3

/**
 * At which size a generation of the ledger is full and the next is opened.
 *
 * @param sealedBytes of all that are sealed
 */
export function fullGenerationBytes(sealedBytes: number): number {
  return Math.max(leastBytes, sealedBytes / (sealedBytes > filteredBytes ? partOfSealed : partOfFiltered))
}
