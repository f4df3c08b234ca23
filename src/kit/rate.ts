/** How often something may happen, like `'100/s'`, `'5/m'`, `'1000/h'`; or a number of times a second. */
export type Rate = number | `${number}/${keyof typeof unitsMs}`

const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Whether it is one, and of more than nothing. */
export function isRate(value: unknown): value is Rate {
  return ratePerSecond(value) !== undefined
}

/** A rate for people, in the unit in which it is short. @example rateText(1.5) // '90/m' */
export function rateText(perSecond: number): string {
  const inUnits = Object.entries(unitsMs).map(([unit, ms]) => [(perSecond * ms) / 1_000, unit] as const)
  // What is read from '7/m' and written again is not always whole to the last bit.
  const whole = inUnits.find(([times]) => Math.round(times) >= 1 && Math.abs(times - Math.round(times)) < times * 1e-9)
  return whole ? `${Math.round(whole[0])}/${whole[1]}` : `${Number(perSecond.toPrecision(4))}/s`
}

/**
 * What may be a rate, in times a second; undefined where it is none. For what people write.
 *
 * @example ratePerSecond('90/m') // 1.5
 */
export function ratePerSecond(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const found = /^(\d+(?:\.\d+)?)\/(s|m|h|d)$/.exec(String(value))
  const unit = found?.[2]
  const perSecond =
    typeof value === 'number'
      ? value
      : unit && unit in unitsMs
        ? (Number(found[1]) * 1_000) / unitsMs[unit as keyof typeof unitsMs]
        : Number.NaN
  return Number.isFinite(perSecond) && perSecond > 0 ? perSecond : undefined
}
