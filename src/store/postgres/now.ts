/** The time that statements are told; null: they ask the server's own clock, as they always do but in tests. */
export type Now = () => number | null
