import type { RunsInMemory } from '../src/engine/room.ts'
import { drawBursts } from './bursts.ts'
import { drawCharges } from './charges.ts'
import { Draw } from './draw.ts'
import { drawFaults } from './faults.ts'
import { drawFlow } from './flow.ts'
import { type Act, type Deed, type Feature, type Plan, type Reaction, type Send, swarm, type Version } from './plan.ts'

const features: readonly Feature[] = [
  'ordered',
  'saga',
  'signals',
  'sleeps',
  'emits',
  'both',
  'poison',
  'repeats',
  'tenants',
  'acts',
  'deploys',
  'drift',
  'bad_service',
  'pauses',
  'once',
  'confirm',
  'door',
  'brief',
]

/** The plan of a seed: cluster, events, operators, faults. */
export function drawPlan(seed: number): Plan {
  const draw = new Draw(seed, 'plan')
  const on = swarm(draw, features)
  const nodeCount = draw.pick([1, 2, 2, 3])
  const leaseMs = draw.pick([1_500, 2_000, 4_000])
  const busyMs = draw.pick([5_000, 10_000, 15_000])
  const sends = drawSends(seed, on, busyMs, nodeCount)
  const charges = drawCharges(seed, busyMs, nodeCount)
  const chargeSends = charges?.sends ?? []
  const bursts = drawBursts(seed, busyMs, nodeCount, sends.length + chargeSends.length)
  const burstSends = bursts?.sends ?? []
  const before = sends.length + chargeSends.length + burstSends.length
  const flow = drawFlow(seed, busyMs, nodeCount, before)
  const acts = drawActs(seed, on, busyMs, nodeCount, sends)
  return {
    seed,
    shards: draw.pick([1, 2, 3, 4]),
    acceptSpans: draw.chance(0.6),
    leaseMs,
    beatMs: Math.floor(leaseMs / draw.pick([3, 4])),
    graceMs: draw.pick([300, 1_000, 3_000]),
    concurrency: draw.pick([1, 2, 3, 100]),
    bounds: drawBounds(new Draw(seed, 'bounds')),
    latencyMs: draw.pick([2, 10, 40]),
    turnMs: draw.pick([0, 5, 30]),
    nodes: Array.from({ length: nodeCount }, (_, index) => ({
      startsAtMs: index === 0 ? 0 : draw.whole(0, 3_000),
      door: on.has('door') && index > 0 && index === nodeCount - 1,
      rate: on.has('drift') ? 1 + draw.whole(-30, 30) / 1_000 : 1,
    })),
    // The others keep their numbers, by which acts name them.
    sends: [...sends, ...chargeSends, ...burstSends, ...flow.sends],
    acts: [...acts, ...(charges?.acts ?? []), ...(bursts?.acts ?? []), ...flow.acts].sort(
      (one, other) => one.atMs - other.atMs,
    ),
    ...(charges && { dependency: charges.dependency }),
    ...(bursts && { burst: bursts.burst }),
    ...flow.parts,
    faults: [...drawFaults(seed, busyMs, nodeCount, leaseMs), ...flow.faults],
    healsAtMs: flow.healsAtMs ?? busyMs + 3_000,
  }
}

function drawSends(seed: number, on: ReadonlySet<Feature>, busyMs: number, nodes: number): Send[] {
  const draw = new Draw(seed, 'sends')
  const sends: Send[] = []
  const count = draw.whole(3, 12)
  for (let index = 0; index < count; index++) {
    const before = sends[draw.whole(0, Math.max(0, sends.length - 1))]
    const atMs = draw.whole(50, busyMs)
    const node = draw.whole(0, nodes - 1)
    if (before && on.has('repeats') && draw.chance(0.25)) {
      const nonce = draw.chance(0.3) ? before.nonce + 1 : before.nonce
      // Now and then at the same moment, by another way in.
      sends.push({ ...before, atMs: draw.chance(0.4) ? before.atMs : atMs, node, nonce })
      continue
    }
    const kinds: [string, ...string[]] = ['book']
    if (on.has('ordered')) kinds.push('ledger', 'feed', 'ledger', 'feed')
    if (on.has('saga')) kinds.push('saga')
    if (on.has('brief')) kinds.push('brief')
    const kind = draw.pick(kinds)
    const ordered = kind === 'ledger' || kind === 'feed'
    sends.push({
      atMs,
      node,
      tenant: on.has('tenants') ? draw.pick(['acme', 'bolt']) : 'acme',
      source: 'shop',
      // The same id of two tenants is two identities.
      id: on.has('tenants') ? `id-${draw.whole(1, 8)}-${index >> 1}` : `id-${index}`,
      type: `${kind}.made`,
      ...(ordered ? { orderKey: draw.pick(['hot', 'hot', 'cold']) } : {}),
      deeds: drawDeeds(draw, on, kind),
      nonce: 0,
    })
  }
  return sends
}

function drawDeeds(draw: Draw, on: ReadonlySet<Feature>, kind: string): Deed[] {
  const deeds: Deed[] = []
  const count = draw.whole(kind === 'saga' ? 2 : 0, 3)
  for (let index = 0; index < count; index++) {
    const makers: [() => Deed, ...(() => Deed)[]] = [() => drawStep(draw, on, kind, `s${index}`)]
    makers.push(() => drawStep(draw, on, kind, `s${index}`))
    if (on.has('sleeps')) makers.push(() => ({ do: 'sleep', name: `z${index}`, ms: draw.pick([200, 1_200, 3_000]) }))
    if (on.has('signals')) makers.push(() => drawWait(draw, index))
    if (on.has('emits')) makers.push(() => drawEmit(draw, on, index))
    if (on.has('both'))
      makers.push(() => ({
        do: 'both',
        deeds: [drawStep(draw, on, kind, `a${index}`), drawStep(draw, on, kind, `b${index}`)],
      }))
    if (on.has('bad_service')) makers.push(() => ({ do: 'lingers', ms: draw.pick([100, 800, 2_500, 4_400]) }))
    deeds.push(draw.pick(makers)())
  }
  if (on.has('poison') && draw.chance(0.3)) {
    const poison: Deed = draw.chance(0.5) ? { do: 'dies' } : { do: 'throws', name: 't', times: draw.pick([1, 2, 99]) }
    deeds.splice(draw.whole(0, deeds.length), 0, poison)
  }
  return deeds
}

function drawWait(draw: Draw, index: number): Deed {
  const timeout = draw.pick([undefined, 500, 2_000, 6_000])
  return { do: 'wait', name: 'go', of: String(index), ...(timeout === undefined ? {} : { ms: timeout }) }
}

function drawEmit(draw: Draw, on: ReadonlySet<Feature>, index: number): Deed {
  return { do: 'emit', type: `follow.${index}`, deeds: [drawStep(draw, on, 'book', 'f')] }
}

function drawStep(draw: Draw, on: ReadonlySet<Feature>, kind: string, name: string): Deed {
  const safeties: ['plain', ...('plain' | 'once' | 'confirm')[]] = ['plain']
  if (on.has('once')) safeties.push('once')
  if (on.has('confirm')) safeties.push('confirm')
  const reactions: Reaction[] = []
  const undoReactions: Reaction[] = []
  if (on.has('bad_service')) {
    while (draw.chance(0.4) && reactions.length < 3)
      reactions.push(draw.pick(['does_unheard', 'breaks', 'refuses', 'hangs', 'later', 'dawdles', 'dawdles']))
    if (draw.chance(0.05)) reactions.push('never')
    if (draw.chance(0.3)) undoReactions.push(draw.pick(['does_unheard', 'breaks', 'refuses', 'hangs']))
  }
  return {
    do: 'step',
    name,
    ...(draw.chance(0.2) ? { of: 'item' } : {}),
    safety: draw.pick(safeties),
    undo: kind === 'saga' && draw.chance(0.8),
    renamed: draw.chance(0.15),
    reactions,
    undoReactions,
    unsure: draw.chance(0.1) ? 1 : 0,
    patienceMs: draw.pick([1_000, 1_000, 3_500]),
  }
}

function drawActs(
  seed: number,
  on: ReadonlySet<Feature>,
  busyMs: number,
  nodes: number,
  sends: readonly Send[],
): Act[] {
  const draw = new Draw(seed, 'acts')
  const acts: Act[] = []
  const when = () => ({ atMs: draw.whole(100, busyMs), node: draw.whole(0, nodes - 1) })
  if (on.has('signals')) {
    for (const [index, send] of sends.entries()) {
      const waits = send.deeds.filter((deed) => deed.do === 'wait').length
      for (let signal = 0; signal < waits; signal++) {
        if (draw.chance(0.15)) continue
        const id = draw.chance(0.5) ? { id: `sig-${signal}` } : {}
        const act: Act = { ...when(), kind: 'signal', send: index, name: 'go', ...id }
        // Right after the event is early; the same signal id twice counts once.
        acts.push(draw.chance(0.4) ? { ...act, atMs: send.atMs + draw.whole(0, 300) } : act)
        if (draw.chance(0.3)) acts.push({ ...act, ...when() })
      }
    }
  }
  const sagas = sends.flatMap(({ type }, index) => (type === 'saga.made' ? [index] : []))
  if (on.has('acts')) {
    for (let left = draw.whole(1, 6); left > 0; left--) {
      const send = draw.whole(0, sends.length - 1)
      const makers: [() => Act, ...(() => Act)[]] = [
        () => ({ ...when(), kind: 'cancel', send, ...(draw.chance(0.7) ? { undo: draw.chance(0.6) } : {}) }),
        // Of a saga that stands, some time after it began.
        () => ({ ...when(), kind: 'cancel', send: sagas[draw.whole(0, sagas.length - 1)] ?? send, undo: true }),
        () => ({ ...when(), kind: 'retry', send }),
        () => ({ ...when(), kind: 'replay', send, newKeys: draw.chance(0.5) }),
        () => ({ ...when(), kind: 'replay', send, fromStep: 's1', newKeys: false }),
        () => ({ ...when(), kind: 'resolve', send, how: draw.pick(['result', 'repeat', 'fail']) }),
        () => ({ ...when(), kind: 'resolve', send, how: draw.pick(['result', 'repeat', 'fail']) }),
        () => ({ ...when(), kind: 'redrive' }),
      ]
      acts.push(draw.pick(makers)())
    }
  }
  if (on.has('pauses')) {
    const what = draw.pick<{ readonly what: 'handler' | 'source'; readonly name: string }>([
      { what: 'handler', name: 'book' },
      { what: 'handler', name: 'ledger' },
      { what: 'source', name: 'shop' },
    ])
    const paused = when()
    acts.push({ ...paused, kind: 'pause', ...what })
    acts.push({ ...when(), atMs: paused.atMs + draw.whole(500, 4_000), kind: 'resume', ...what })
  }
  if (on.has('deploys')) {
    const version: Version = draw.pick(['renamed', 'without_audit', 'first'])
    for (let node = 0; node < nodes; node++)
      if (draw.chance(0.7)) acts.push({ atMs: draw.whole(1_000, busyMs), node, kind: 'deploy', version })
  }
  return acts.sort((one, other) => one.atMs - other.atMs)
}

/** Memories so small that backlogs, and what waits behind a key, do not fit. */
function drawBounds(draw: Draw): RunsInMemory {
  return {
    held: draw.pick([2, 10, 4_000]),
    aside: draw.pick([1, 3, 100_000]),
    perKey: draw.pick([0, 1, 16]),
    page: draw.pick([1, 4, 500]),
  }
}
