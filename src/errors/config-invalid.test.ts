import { describe, expect, it } from 'vitest'
import { configInvalid } from './config-invalid.ts'

describe('config_invalid', () => {
  it('has a line for each problem, each a sentence', () => {
    const { message } = configInvalid(['lease: too short', 'prot is no option; did you mean port?'])
    expect(message).toBe(
      'The configuration is not valid:\n  lease: too short.\n  prot is no option; did you mean port? Correct what is named; all of it is listed.',
    )
  })
})
