/** What the senders and the server of the crash tests both know. */
export const secret = 'a secret of the crash tests'

/** The steps of every run that has some, in their order. */
export const steps = ['authorise', 'capture', 'notify'] as const

/** What may be sent: `paid` runs in steps, `queued` too and in order, `booked` writes into the store's own database. */
export const types = ['paid', 'queued', 'booked'] as const
