import { describe, expect, it } from 'vitest'
import { documented, publicTypes } from './public-types.ts'

const inner = {
  path: 'dist/inner/shapes.d.ts',
  text: `import type { Deep } from './deep.ts';
/** Not {@link Hidden}. */
export interface Shape {
    readonly kind: 'Hidden';
    readonly deep: Deep;
}
interface Hidden {
}
export declare function make(shape: Shape): Promise<Hidden>;
`,
}
const deep = { path: 'dist/inner/deep.d.ts', text: 'export type Deep = string;\n' }
const door = (text: string) => ({ path: 'dist/index.d.ts', text })
const said = (text: string) => publicTypes([door(text), inner, deep], ['dist/index.d.ts']).map(({ says }) => says)

describe('public types', () => {
  it('are all importable where a door exports what they name', () => {
    expect(
      said("export type { Shape } from './inner/shapes.ts';\nexport { type Deep } from './inner/deep.ts';\n"),
    ).toEqual([])
    expect(
      said("export type { Shape as Form } from './inner/shapes.ts';\nexport type { Deep } from './inner/deep.ts';\n"),
    ).toEqual([])
  })

  it('say what they are', () => {
    const files = [
      door("export type { Shape } from './inner/shapes.ts';\nexport type { Deep } from './inner/deep.ts';\n"),
      inner,
      deep,
    ]
    expect(documented(files, ['dist/index.d.ts']).map(({ says }) => says)).toEqual([
      'Deep is public and has no doc comment',
    ])
  })

  it('are missed where one is named by another, by a function, or by the door itself', () => {
    expect(said("export type { Shape } from './inner/shapes.ts';\n")).toEqual([
      expect.stringContaining('Deep is named by Shape'),
    ])
    const made = "export { make, type Shape } from './inner/shapes.ts';\nexport type { Deep } from './inner/deep.ts';\n"
    expect(said(made)).toEqual([expect.stringContaining('Hidden is named by make')])
    const own = "import type { Deep } from './inner/deep.ts';\nexport interface Own {\n    deep: Deep;\n}\n"
    expect(said(own)).toEqual([expect.stringContaining('Deep is named by Own')])
  })
})
