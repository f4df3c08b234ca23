import type { OutagePlan, OutageSeen } from './outage-figures.ts'
export function outagePlot(_seen: OutageSeen, _plan: OutagePlan): string {
  return ''
}
