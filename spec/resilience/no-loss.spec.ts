/**
 * Senders that reconnect and continue after the last acknowledged frame, through random cuts of KMP and RTMP
 * connections and kills of workers, with reconnects on. Short form: 20 cuts and 3 kills; long form: `CUTS=200
 * KILLS=20`. CUT_SEED says which, UPSTREAMS how many share the cuts: with the 4 of the short form, each is cut every
 * 1.6 s, and hardly recovers in between.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CheckingIngest } from './faults/checking-ingest.js';
import { closeAll } from './faults/close-all.js';
import { CuttingProxy } from './faults/cutting-proxy.js';
import { ReturningSender } from './faults/returning-sender.js';
import { ServiceProcess } from './faults/service-process.js';
import { TrackCheck, type Cause } from './faults/track-check.js';
import { Random } from './random.js';

const cuts = Number(process.env['CUTS'] ?? 20);
const kills = Number(process.env['KILLS'] ?? 3);
const seed = Number(process.env['CUT_SEED'] ?? Math.floor(Date.now() / 86_400_000));
const UPSTREAMS = Number(process.env['UPSTREAMS'] ?? 4);

interface Path {
  readonly ingest: CheckingIngest;
  readonly tracks: readonly {
    readonly proxy: CuttingProxy;
    readonly sender: ReturningSender;
    readonly check: TrackCheck;
  }[];
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe(`senders that come back, seed ${seed}`, { skip: process.platform === 'linux' ? false : 'Linux only' }, () => {
  let random: Random;
  let service: ServiceProcess;
  let paths: Path[];

  async function open(n: number, acknowledges: boolean): Promise<Path> {
    const checks = new Map<string, TrackCheck>();
    const ingest = await CheckingIngest.start((stream, kind) => checks.get(`${stream} ${kind}`));
    ingest.manners = { acknowledges };
    const data = { upstream_id: `u${n}`, url: `rtmp://127.0.0.1:${ingest.port}/app/u${n}` };
    const tracks = (['video', 'audio'] as const).map(async (kind, i) => {
      const check = new TrackCheck(2 * n + i, `u${n} ${kind}`);
      checks.set(check.name, check);
      const proxy = await CuttingProxy.start(service.kmpPort);
      return { sender: new ReturningSender(proxy.port, check.track, kind, data), check, proxy };
    });
    return { ingest, tracks: await Promise.all(tracks) };
  }

  /** Tracks end, for their senders stay away; what they had sent is with the kernel when the connection breaks. */
  function awayAndBroken({ tracks, ingest }: Path): void {
    const [cut, stall] = [random.between(0, 2), random.between(0, 1000)];
    tracks.forEach(({ proxy }, i) => cut !== i && proxy.cut(random.between(0, 1500)));
    const broken = stall + random.between(50, 800);
    setTimeout(() => ingest.stall(), stall);
    setTimeout(() => ingest.reset(), broken);
  }

  async function flowing(): Promise<void> {
    const all = paths.flatMap(({ tracks }) => tracks.map(({ check }) => ({ check, before: check.received })));
    await service.until('frames of all', () => all.every(({ check, before }) => check.received > before + 2));
  }

  /** Ends all tracks; what came of them. */
  async function finish(): Promise<
    { sent: number; repeated: Readonly<Record<Cause, number>>; missing: number[]; name: string }[]
  > {
    const tracks = paths.flatMap((path) => path.tracks);
    await Promise.all(tracks.map(({ sender }) => sender.finish()));
    await service.until('the end of all upstreams', async () => {
      const { upstreams } = await service.status();
      return Object.keys(upstreams).length === 0;
    });
    // What the kernel has taken has to be read yet.
    await sleep(500);
    for (const { check } of tracks) assert.deepEqual(check.wrong, [], check.name);
    return tracks.map(({ sender: { sent }, check }) => {
      return { sent, repeated: check.repeated, missing: check.missing(sent), name: check.name };
    });
  }

  for (const { title, workers, acknowledges, times, act } of [
    ...[false, true].map((acknowledges) => ({
      title: `${cuts} cuts of KMP connections and of those of a server that ${acknowledges ? 'acknowledges' : 'does not acknowledge'}: every frame arrives, in order`,
      workers: 1,
      acknowledges,
      times: cuts,
      act: ({ tracks, ingest }: Path) =>
        random.oneIn(2) ? tracks.forEach(({ proxy }) => proxy.cut()) : ingest.reset(),
    })),
    ...[false, true].map((acknowledges) => ({
      title: `${cuts} times senders that stay away, and then a server that ${acknowledges ? 'acknowledges' : 'does not acknowledge'} stalls and breaks: every frame arrives, in order`,
      workers: 1,
      acknowledges,
      times: cuts,
      act: awayAndBroken,
    })),
    {
      title: `${kills} workers killed: every frame arrives, in order`,
      workers: 2,
      acknowledges: true,
      times: kills,
      act: () => {
        const [worker] = service.workers.sort(() => random.between(-1, 1));
        if (worker !== undefined) service.signal('SIGKILL', worker);
      },
    },
  ]) {
    describe(title, () => {
      before(async () => {
        random = new Random(seed);
        service = await ServiceProcess.start({
          workers,
          media: `kmp_rtmp_out_reconnects 1000; kmp_rtmp_out_reconnect_interval 100ms; kmp_rtmp_out_resend 2s;
            kmp_rtmp_out_write_meta_timeout 10s;`,
        });
        paths = await Promise.all(Array.from({ length: UPSTREAMS }, (_, n) => open(n, acknowledges)));
        await flowing();
      });
      after(() =>
        closeAll(
          async () => {
            for (const { ingest, tracks } of paths) {
              tracks.forEach(({ sender }) => sender.destroy());
              await Promise.all(tracks.map(({ proxy }) => proxy.close()));
              await ingest.kill();
            }
          },
          async () => assert.equal(await service.stop(), 0, 'the exit code of the service'),
        ),
      );

      it('as the title says', async () => {
        for (let i = 0; i < times; i++) {
          act(random.pick(paths));
          // A worker that dies within 5 s of its start is not replaced at once.
          await sleep(workers > 1 ? random.between(5500, 6500) : random.between(100, 700));
        }
        await sleep(2000);
        await flowing();
        const tracks = await finish();
        const sum = (of: (track: (typeof tracks)[number]) => number): number =>
          tracks.reduce((all, one) => all + of(one), 0);
        const [sent, missing] = [sum((one) => one.sent), sum((one) => one.missing.length)];
        const [breaks, upstreams] = [sum((one) => one.repeated.break), sum((one) => one.repeated.upstream)];
        const twice = `${breaks + upstreams} came twice: ${breaks} when an RTMP connection had broken, ${upstreams} to another upstream`;
        console.log(`# ${title}: seed ${seed}, ${sent} frames sent, ${missing} missing, ${twice}`);
        // Each worker counts for itself, and those that were killed do not tell.
        if (workers === 1) {
          const [again, skipped] = await Promise.all([
            service.metric('kmp_rtmp_resent_frames_total'),
            service.metric('kmp_rtmp_skipped_frames_total'),
          ]);
          console.log(`#   the service wrote ${again} once more, and skipped ${skipped} that senders repeated`);
        }
        for (const track of tracks) assert.deepEqual(track.missing, [], track.name);
      });
    });
  }
});
