/**
 * Plans that do not change with statistics: every statement of the hot way is a nested loop of index probes. With a table
 * analysed while it was nearly empty, the planner took the whole table for a handful of rows.
 */
export const stablePlans = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set plan_cache_mode = force_generic_plan`
