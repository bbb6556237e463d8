import type { LoadPlan } from './messages.js';

export const TARGETS = ['relay', 'service', 'floor'] as const;
export type Target = (typeof TARGETS)[number];

export interface Case {
  /** Unique; `--case` takes it or its beginning. */
  readonly name: string;
  readonly title: string;
  readonly plan: LoadPlan;
  /** Where they are compared, the plain relay and the floor (bench/floor) run beside the service. */
  readonly targets: readonly Target[];
  /** `worker_processes` of the service. */
  readonly workers: number;
  /** Seconds before the count begins, default 4. */
  readonly warm?: number;
  /** Seconds of the count, if the case wants its own. */
  readonly seconds?: number;
  /** All upstreams come at once, and the count begins with them: there is no warm-up. Default false. */
  readonly cold?: boolean;
  readonly repeat?: number;
  /** Left out of a run that names no case. */
  readonly onlyByName?: boolean;
}

/** 4 Mbit/s: 30 frames a second of 16 800 bytes in the mean, key frames included; 115 kbit/s of audio. */
const VIDEO_4M = 16_000;
const AUDIO = 340;
const BOTH = ['relay', 'service'] as const;
const ALL = ['relay', 'service', 'floor'] as const;

const live = (upstreams: number): LoadPlan => ({
  upstreams,
  streamsPerUpstream: 1,
  videoBytes: VIDEO_4M,
  audioBytes: AUDIO,
});

/** The relay needs a core from about 400 upstreams on. */
const GROWTH = new Map<number, readonly Target[]>([
  [25, ALL],
  [50, ['service']],
  [100, ['service']],
  [200, ['service']],
  [400, ALL],
  [600, ['service', 'floor']],
  [800, ['service', 'floor']],
]);

const growth = [...GROWTH].map(([n, targets]): Case => {
  return { name: `growth-${n}`, title: `${n} upstreams`, plan: live(n), targets, workers: 1, repeat: 1 };
});

const start = [400, 600].map((n): Case => {
  const title = `start of ${n} upstreams at once`;
  return { name: `start-${n}`, title, plan: live(n), targets: ['service', 'floor'], workers: 1, cold: true, repeat: 1 };
});

const workers = [1, 2].flatMap((count) =>
  [100, 200].map((n): Case => {
    const title = `${n} upstreams, ${count} worker${count > 1 ? 's' : ''}`;
    // Each process compiles its own code: that takes half a minute, and would count for two workers twice.
    const warm = 30;
    return {
      name: `workers-${count}-${n}`,
      title,
      plan: live(n),
      targets: ['service'],
      workers: count,
      warm,
      repeat: 1,
    };
  }),
);

export const CASES: readonly Case[] = [
  { name: 'idle', title: 'Idle', plan: live(0), targets: ['service'], workers: 1, warm: 1, repeat: 1 },
  { name: 'live', title: '100 upstreams of 4 Mbit/s', plan: live(100), targets: ALL, workers: 1 },
  {
    name: 'audio',
    title: '1000 audio-only tracks',
    plan: { upstreams: 1000, streamsPerUpstream: 1, videoBytes: 0, audioBytes: AUDIO },
    targets: ALL,
    workers: 1,
    // A stream with one track holds its first frames back for 3 s, in case that the other comes.
    warm: 7,
  },
  {
    name: 'heavy',
    title: '10 upstreams of 40 Mbit/s',
    plan: { upstreams: 10, streamsPerUpstream: 1, videoBytes: 10 * VIDEO_4M, audioBytes: AUDIO },
    targets: ALL,
    workers: 1,
  },
  {
    name: 'low',
    title: '50 upstreams of 0.4 Mbit/s',
    plan: { upstreams: 50, streamsPerUpstream: 1, videoBytes: 1500, audioBytes: 150 },
    targets: ALL,
    workers: 1,
  },
  {
    name: 'streams',
    title: '1 upstream, 30 streams of 1 Mbit/s',
    plan: { upstreams: 1, streamsPerUpstream: 30, videoBytes: VIDEO_4M / 4, audioBytes: AUDIO },
    targets: BOTH,
    workers: 1,
  },
  ...growth,
  ...start,
  ...workers,
  {
    name: 'soak',
    title: '10 minutes of 100 upstreams',
    plan: live(100),
    targets: ['service'],
    workers: 1,
    seconds: 600,
    repeat: 1,
    onlyByName: true,
  },
];

/**
 * By name, by the beginning of a name, or `floor`: all cases with the floor beside the service.
 *
 * @throws when a name matches no case.
 */
export function chooseCases(names: readonly string[]): Case[] {
  if (names.length === 0) return CASES.filter((one) => one.onlyByName !== true);
  return names.flatMap((name) => {
    const found = CASES.filter(
      (one) => one.name === name || one.name.startsWith(`${name}-`) || (name === 'floor' && one.targets.includes(name)),
    );
    if (found.length > 0) return found;
    throw new Error(`--case ${name}: there is none; there are ${CASES.map((one) => one.name).join(', ')}`);
  });
}
