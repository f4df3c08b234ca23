/**
 * Plans that do not change with statistics: every statement of the hot way is a nested loop of index probes. With a table
 * analysed while it was nearly empty, the planner took the whole table for a handful of rows. A plan that must
 * take what is turned off counts as dear, and dear plans are compiled, which takes seconds: not here.
 */
export const stablePlans = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set jit = off set plan_cache_mode = force_generic_plan`

/** The same for lists of keys: planned for the ones that are given, so that only the ranges that they lie in are opened. */
export const plansByKey = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set jit = off set plan_cache_mode = force_custom_plan`
