/** What versions are compared within: a thing outside, as one handler knows it, of one tenant. */
export interface VersionScope {
  readonly tag: string
  readonly tenant: string
  /** At most 255 bytes. */
  readonly key: string
}
