import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from './lab.ts'

function command(name: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(name, args, { encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`${name} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

/** A filesystem of so many bytes in memory, until the lab is gone. @throws where this machine gives none */
export function mountMemory({ folder, cleanUp }: Lab, bytes: number): string {
  const place = join(folder, 'memory')
  mkdirSync(place)
  command('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'none', place)
  cleanUp(() => command('umount', place))
  return place
}

/** An ext4 of its own on a loop device. */
export interface Disk {
  readonly place: string
  /**
   * Cuts its power: what is not on the device by now never comes there. The journal is not flushed, so all that a
   * mounted filesystem holds in memory is lost, as by a cut.
   */
  cut(): void
  mount(): void
  unmount(): void
}

/** FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH. Python, since Node has no ioctl. */
const shutdown = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))
`

/** Makes a disk that is unmounted and gone with the lab. @throws where this machine gives none */
export function makeDisk({ folder, cleanUp }: Lab, bytes: number): Disk {
  const image = join(folder, 'disk.img')
  const place = join(folder, 'disk')
  let isMounted = false
  const disk: Disk = {
    place,
    cut: () => command('python3', '-c', shutdown, place),
    mount() {
      command('mount', '-o', 'loop', image, place)
      isMounted = true
    },
    unmount() {
      command('umount', place)
      isMounted = false
    },
  }
  mkdirSync(place)
  command('truncate', '-s', String(bytes), image)
  command('mkfs.ext4', '-q', image)
  cleanUp(() => isMounted && disk.unmount())
  disk.mount()
  return disk
}

/** Why this machine cannot do what `probe` does; undefined if it can. Run inside a lab of its own. */
export async function unavailable(probe: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await probe()
    return undefined
  } catch (error) {
    return String(error instanceof Error ? error.message : error)
  }
}
