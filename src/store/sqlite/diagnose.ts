import { statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Finding, fine, warning } from '../finding.ts'

/** Free bytes below which a store's disk is worth a look. */
const freeLeast = 1_073_741_824

/** A log above this was not folded for long: at most 64 MiB of it are kept when it is. */
const logMost = 268_435_456

/** Looks at the file, its log and its disk. */
export async function diagnose(
  path: string,
  least: { freeBytes?: number; logBytes?: number } = {},
): Promise<Finding[]> {
  return [
    fileFinding(path),
    logFinding(path, least.logBytes ?? logMost),
    await diskFinding(path, least.freeBytes ?? freeLeast),
  ]
}

function fileFinding(path: string): Finding {
  const mode = statSync(path).mode & 0o777
  if ((mode & 0o077) === 0) return fine('file', `${path}, readable by its owner alone`)
  const found = `${path} can be read by others (mode ${mode.toString(8)}), and holds payloads`
  return warning('file', found, 'mode 600', `chmod 600 ${path}`)
}

function logFinding(path: string, most: number): Finding {
  const bytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const found = `the log has ${mebibytes(bytes)} MiB`
  if (bytes <= most) return fine('log', found)
  const todo = 'end what has the file open and reads for long: a log is folded up to its oldest reader'
  return warning('log', found, `at most ${mebibytes(most)} MiB`, todo)
}

async function diskFinding(path: string, least: number): Promise<Finding> {
  const disk = await statfs(dirname(path))
  const free = disk.bavail * disk.bsize
  const found = `${mebibytes(free)} MiB free`
  if (free >= least) return fine('disk', found)
  const todo = 'shorten the retention, or move the file: a full disk answers 503'
  return warning('disk', found, `${mebibytes(least)} MiB or more`, todo)
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 1_048_576)
}
