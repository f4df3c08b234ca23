import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { History, Violation } from './records.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const outputBytes = 64 * 1024 * 1024

/** Hands a history to the checker, which is a process of its own; what it says against it. */
export async function check(history: History): Promise<Violation[]> {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-checker-'))
  try {
    for (const [name, lines] of Object.entries(history)) {
      writeFileSync(join(folder, `${name}.jsonl`), lines.map((line: unknown) => `${JSON.stringify(line)}\n`).join(''))
    }
    const output = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, [main, folder], { maxBuffer: outputBytes }, (error, stdout, stderr) => {
        // It says what it found by 1; anything else is its own fault.
        if (error && (error.code !== 1 || stdout === '')) reject(new Error(stderr || error.message))
        else resolve(stdout)
      })
    })
    return output
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Violation => JSON.parse(line))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
