import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { Lending } from './lending.ts'
import { migrateSchema } from './schema.ts'

test('what a node had that a process of an earlier version forgot counts no more (G8)', () => {
  const database = new DatabaseSync(':memory:')
  migrateSchema(database, 1)
  for (const node of ['a', 'b']) {
    database.prepare('insert into node values (?, ?, 1, ?, ?, 1000)').run(node, 'g', '["h"]', 'boot')
  }
  const lending = new Lending(database)
  const claim = { name: 'rate:bank', amount: 100, whole: false, held: 0, eager: true }
  expect(lending.lend('a', [claim], 0)).toEqual([{ name: 'rate:bank', share: 100 }])
  expect(lending.lend('b', [claim], 0)).toEqual([{ name: 'rate:bank', share: 0 }])
  // It knows nothing of what was lent.
  database.exec(`delete from node where node = 'a'`)
  expect(lending.lend('b', [claim], 0)).toEqual([{ name: 'rate:bank', share: 100 }])
  lending.forget()
  expect(database.prepare('select node from lent').all()).toEqual([{ node: 'b' }])
  database.close()
})
