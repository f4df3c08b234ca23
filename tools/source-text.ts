/** A source file without its comments, and with the insides of its strings blanked: for rules that read code. */
export interface SourceText {
  readonly path: string
  /** As it is in the file. */
  readonly whole: string
  /** Comments and string contents are spaces; lines stay where they are. */
  readonly code: string
  /** Module specifiers of imports, re-exports, dynamic imports and `new URL('…', import.meta.url)`. */
  readonly imports: readonly { readonly specifier: string; readonly typeOnly: boolean; readonly dynamic: boolean }[]
}

/** Reads what the rules need of a TypeScript file. */
export function sourceText(path: string, whole: string): SourceText {
  return { path, whole, code: blanked(whole), imports: importsOf(whole) }
}

/** One pass over the text: comments, strings, templates (their `${}` stays code) and regular expressions. */
export function blanked(text: string): string {
  const out = [...text]
  const blank = (from: number, to: number) => {
    for (let index = from; index < to; index++) if (out[index] !== '\n') out[index] = ' '
  }
  const templates: number[] = []
  let depth = 0
  let index = 0
  let lastCode = ''
  while (index < text.length) {
    const two = text.slice(index, index + 2)
    const char = text.charAt(index)
    let end = index
    if (two === '//') {
      end = text.indexOf('\n', index)
      end = end < 0 ? text.length : end
      blank(index, end)
    } else if (two === '/*') {
      end = text.indexOf('*/', index + 2)
      end = end < 0 ? text.length : end + 2
      blank(index, end)
    } else if (char === "'" || char === '"') {
      end = index + 1
      while (end < text.length && text.charAt(end) !== char && text.charAt(end) !== '\n')
        end += text.charAt(end) === '\\' ? 2 : 1
      blank(index + 1, end)
      end++
      lastCode = char
    } else if (char === '`' || (char === '}' && templates.at(-1) === depth)) {
      if (char === '}') templates.pop()
      end = index + 1
      while (end < text.length && text.charAt(end) !== '`' && text.slice(end, end + 2) !== '${')
        end += text.charAt(end) === '\\' ? 2 : 1
      blank(index + 1, end)
      if (text.charAt(end) === '`') end++
      else {
        templates.push(depth)
        end += 2
      }
      lastCode = '`'
    } else if (char === '/' && /[=(,:;!&|?{}[\n]|^$|n$/.test(lastCode === '' ? '' : lastCode)) {
      end = index + 1
      let inClass = false
      while (end < text.length && text.charAt(end) !== '\n') {
        const at = text.charAt(end)
        if (at === '\\') end++
        else if (at === '[') inClass = true
        else if (at === ']') inClass = false
        else if (at === '/' && !inClass) break
        end++
      }
      blank(index + 1, end)
      end++
      lastCode = '/'
    } else {
      if (char === '{') depth++
      if (char === '}') depth--
      if (/\S/.test(char)) lastCode = char
      end = index + 1
    }
    index = end
  }
  return out.join('')
}

/** Without block comments and whole-line comments; strings stay. */
export function uncommented(whole: string): string {
  return whole.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' ')).replace(/^\s*\/\/.*$/gm, '')
}

function importsOf(whole: string): SourceText['imports'] {
  const found: { specifier: string; typeOnly: boolean; dynamic: boolean }[] = []
  const text = uncommented(whole)
  for (const match of text.matchAll(/^(?:import|export)(\s+type)?\s[^;'"]*?from\s+'([^']+)'/gm)) {
    found.push({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined, dynamic: false })
  }
  for (const match of text.matchAll(/^import\s+'([^']+)'/gm))
    found.push({ specifier: match[1] ?? '', typeOnly: false, dynamic: false })
  for (const match of text.matchAll(/import\(\s*'([^']+)'/g))
    found.push({ specifier: match[1] ?? '', typeOnly: false, dynamic: true })
  for (const match of text.matchAll(/new URL\(\s*[`']([^`]+?)[`']\s*,\s*import\.meta\.url/g)) {
    // An ending that follows the file's own, `.ts` here and `.js` when built, is no part of the name.
    found.push({ specifier: (match[1] ?? '').replace(/\$\{.*$/, '.ts'), typeOnly: false, dynamic: true })
  }
  return found
}
