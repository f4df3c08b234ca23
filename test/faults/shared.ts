/** What the senders and the servers of the fault tests both know. */
export const secret = 'a secret of the fault tests'

/** Each has a source of its own name. */
export const tenants = ['acme', 'globex'] as const
