import type { Command } from '../command.ts'
import { cancel } from './cancel.ts'
import { close } from './close.ts'
import { completion } from './completion.ts'
import { dependencies } from './dependencies.ts'
import { dev } from './dev.ts'
import { doctor } from './doctor.ts'
import { events } from './events.ts'
import { help } from './help.ts'
import { history } from './history.ts'
import { limit } from './limit.ts'
import { migrate } from './migrate.ts'
import { open } from './open.ts'
import { pause } from './pause.ts'
import { redrive } from './redrive.ts'
import { replay } from './replay.ts'
import { resolve } from './resolve.ts'
import { resume } from './resume.ts'
import { retry } from './retry.ts'
import { runs } from './runs.ts'
import { schedules } from './schedules.ts'
import { send } from './send.ts'
import { serve } from './serve.ts'
import { signal } from './signal.ts'
import { version } from './version.ts'

/** Every verb, in the order in which they are told. A function, since help and completion list them too. */
export function commands(): readonly Command[] {
  return [
    dev,
    serve,
    send,
    events,
    runs,
    history,
    schedules,
    retry,
    redrive,
    cancel,
    replay,
    resolve,
    signal,
    pause,
    resume,
    dependencies,
    open,
    close,
    limit,
    migrate,
    doctor,
    completion,
    version,
    help,
  ]
}
