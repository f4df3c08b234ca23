import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { addsUp, summaryText } from '../examples/tour/read-back.ts'
import { createClient } from '../src/client/http-client.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hapax-tour-'))
const children: ChildProcess[] = []

/** `npm start -- …`, without npm: what it prints, and how it ends. */
function tour(...args: string[]) {
  const child = spawn(process.execPath, ['examples/tour/main.ts', '--port', '0', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let text = ''
  const printed = (what: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = what.exec(text)
        if (found) resolve(found)
      }
      look()
      child.stdout.on('data', look)
      child.once('exit', () => reject(new Error(`the tour ended without ${what}:\n${text}`)))
    })
  for (const stream of [child.stdout, child.stderr]) {
    stream.prependListener('data', (chunk) => {
      text += chunk
    })
  }
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  return { child, printed, ended, text: () => text }
}

/** The processes that it says it started. */
function pidsIn(text: string): number[] {
  return [...text.matchAll(/(?<=process |worker |workers |workers \d+ and )\d+/g)].map(([pid]) => Number(pid))
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

describe('npm start', () => {
  it('plays real traffic, a kill and an outage, and adds up; also a second time on the same file', async () => {
    for (const time of ['first', 'second']) {
      const run = tour('--exit', '--store', `sqlite:${join(folder, 'twice.db')}`)
      expect(await run.ended, `${time}: ${run.text()}`).toBe(0)
      expect(run.text()).toMatch(/accepted +375 +375 +equal/)
      expect(run.text()).toMatch(/resumed after a kill +1 +1 +equal/)
      expect(run.text()).not.toContain('MISMATCH')
      const pids = pidsIn(run.text())
      expect(pids.length).toBeGreaterThanOrEqual(4)
      expect(pids.filter(lives)).toEqual([])
    }
  })

  it('starts bare, serves, and leaves no process on Ctrl-C', async () => {
    const run = tour('--no-demo', '--store', `sqlite:${join(folder, 'bare.db')}`)
    const [, url] = await run.printed(/server (http:\S+)[\s\S]*stays up/)
    expect(await createClient({ url: url ?? '' }).ready()).toBe(true)
    const pids = pidsIn(run.text())
    expect(pids.filter(lives)).toEqual(pids)
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(0)
    expect(pids.filter(lives)).toEqual([])
  })

  it('says so where the port is taken, and leaves no process', async () => {
    const store = `sqlite:${join(folder, 'taken.db')}`
    const first = tour('--no-demo', '--store', store)
    const [, port] = await first.printed(/server http:\/\/[\d.]+:(\d+)[\s\S]*stays up/)
    const second = tour('--no-demo', '--store', store, '--port', port ?? '')
    expect(await second.ended).toBe(1)
    expect(second.text()).toContain('EADDRINUSE')
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })

  it('knows a number that does not add up', () => {
    const rows = [
      { what: 'accepted', sent: 3, readBack: 3 },
      { what: 'completed', sent: 3, readBack: 2 },
    ]
    expect(addsUp(rows)).toBe(false)
    expect(summaryText(rows)).toMatch(/completed +3 +2 +MISMATCH/)
    expect(addsUp(rows.slice(0, 1))).toBe(true)
  })
})
