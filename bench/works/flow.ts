import type { Side } from '../measure.ts'
import { keyed, lived, ordered, stepAlone, stepLimited } from './flows.ts'

export const stepAloneHapax: Side = (bench) => lived(bench, stepAlone())
export const stepLimitedHapax: Side = (bench) => lived(bench, stepLimited())
export const keyedHapax: Side = (bench) => lived(bench, keyed())
export const orderedHapax: Side = (bench) => lived(bench, ordered())
