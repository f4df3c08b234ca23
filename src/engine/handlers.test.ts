import { expect, it } from 'vitest'
import { createHapax } from '../hapax.ts'
import { handler } from './handler.ts'

it('refuses to start with a handler that needs what the store lacks, and names both', async () => {
  const needy = handler('needy', { source: 'shop', on: '*', needs: ['transaction'] }, () => 'done')
  const hapax = await createHapax({ store: 'memory:', handlers: [needy] })
  try {
    await expect(hapax.start()).rejects.toMatchObject({
      code: 'ability_missing',
      details: { handler: 'needy', ability: 'transaction', store: 'memory' },
    })
  } finally {
    await hapax.stop()
  }
})
