import { expect, it } from 'vitest'
import { Gathered } from './gathered.ts'

/** Questions in a test's hands: each is answered, or fails, when the test says so. */
function questions() {
  const asked: { keys: readonly string[]; answer: () => void; fail: (error: Error) => void }[] = []
  const ask = (keys: readonly string[]) =>
    new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      const answers = new Map(keys.filter((key) => key !== 'none').map((key) => [key, `${key} of ${asked.length}`]))
      asked.push({ keys, answer: () => resolve(answers), fail: reject })
    })
  return { asked, ask }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

it('asks once for what is asked in one turn, each key once', async () => {
  const { asked, ask } = questions()
  const gathered = new Gathered(ask, { keys: 10, statements: 1 })
  const answers = Promise.all([gathered.get('a'), gathered.get('b'), gathered.get('a'), gathered.get('none')])
  await turn()
  expect(asked.map(({ keys }) => keys)).toEqual([['a', 'b', 'none']])
  asked[0]?.answer()
  expect(await answers).toEqual(['a of 0', 'b of 0', 'a of 0', undefined])
})

it('asks anew for a key that is under way: what was committed meanwhile is seen', async () => {
  const { asked, ask } = questions()
  const gathered = new Gathered(ask, { keys: 10, statements: 1 })
  const first = gathered.get('a')
  await turn()
  const second = gathered.get('a')
  await turn()
  expect(asked).toHaveLength(1)
  asked[0]?.answer()
  expect(await first).toBe('a of 0')
  await turn()
  asked[1]?.answer()
  expect(await second).toBe('a of 1')
})

it('asks for no more at once than it may, and for the rest behind it', async () => {
  const { asked, ask } = questions()
  const gathered = new Gathered(ask, { keys: 2, statements: 2 })
  const answers = Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => gathered.get(key)))
  await turn()
  expect(asked.map(({ keys }) => keys)).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])
  asked[1]?.answer()
  await turn()
  expect(asked[2]?.keys).toEqual(['e'])
  asked[0]?.answer()
  asked[2]?.answer()
  expect(await answers).toHaveLength(5)
})

it('fails those whose statement failed, and nobody else', async () => {
  const { asked, ask } = questions()
  const gathered = new Gathered(ask, { keys: 10, statements: 1 })
  const failing = gathered.get('a')
  await turn()
  const other = gathered.get('b')
  asked[0]?.fail(new Error('lost'))
  await expect(failing).rejects.toThrow('lost')
  await turn()
  asked[1]?.answer()
  expect(await other).toBe('b of 1')
})
