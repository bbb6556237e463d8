import assert from 'node:assert/strict';
import { DnsServer } from '../../support/network/dns-server.js';
import { httpTarget, reply, type HttpTarget } from '../../support/network/http-target.js';
import { CheckingIngest, type Manners } from './checking-ingest.js';
import { closeAll } from './close-all.js';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import type { Living, Look } from '../probe/look.js';
import { LiveSender } from './live-sender.js';
import { ServiceProcess } from './service-process.js';
import { TrackCheck } from './track-check.js';

/** One upstream: senders of its two tracks, an ingest of its own, and what came there. */
export interface Publication {
  readonly id: string;
  readonly ingest: CheckingIngest;
  readonly senders: readonly [LiveSender, LiveSender];
  readonly checks: readonly [TrackCheck, TrackCheck];
}

export interface FleetSetup {
  readonly upstreams: number;
  readonly workers?: number;
  /** Directives beside those that the faults need. */
  readonly media?: string;
  /** Whether what senders send is dumped; default true. */
  readonly dumps?: boolean;
  /** A command that starts the program, with its arguments. */
  readonly wrapper?: readonly [string, ...string[]];
}

/** Longest silence of a sender, and of an ingest, ms: short, so that the faults that wait for them do not take long. */
export const PATIENCE = { in: 8000, out: 5000, resolver: 2000 } as const;

/** A name that {@link Fleet.dns} knows. */
export const HOST = 'ingest.test';
/** Descriptors that come and go: a notification, a request to the API. */
const COMING_AND_GOING = 8;
/** ms between two looks into the service: each collects its garbage. */
const LOOK_AGAIN = 300;
const LOOKS = 60;
/** What may be more of than there was: what comes and goes; the rest is counted exactly. */
const ROOM: Partial<Record<Living, number>> = { sockets: COMING_AND_GOING, abortSignals: 2 };
/** Timers that an upstream has now and then: of an ack, of what is held back. */
const TIMERS_EACH = 1;
/**
 * Bytes that the heap may grow by, in all: code that is compiled, sums of what has ended. All cases of sockets.spec in
 * sequence leave 6.4 MB on an idle machine, and 8.1 MB were seen on a busy one; repeating a case adds nothing.
 */
const HEAP_ROOM = 12 * 2 ** 20;

/** The service when all is quiet. */
export interface Quiet {
  readonly descriptors: number;
  readonly look: Look;
}

/** Live upstreams through one service process, with every frame checked at the other end. */
export class Fleet {
  readonly live: Publication[] = [];
  private readonly all: Publication[] = [];
  private readonly sending = new Set<Publication>();
  private readonly checks = new Map<string, TrackCheck>();
  private tracks = 0;
  private names = 0;
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    readonly service: ServiceProcess,
    readonly dns: DnsServer,
    private readonly target: HttpTarget,
    private readonly hold: { hanging: boolean },
    /** Close reasons by upstream, as notified. */
    private readonly reasons: ReadonlyMap<string, string>,
  ) {}

  static async start({ upstreams, workers = 1, media = '', dumps = true, wrapper }: FleetSetup): Promise<Fleet> {
    const dns = await DnsServer.start({ [HOST]: ['127.0.0.1'] });
    const hold = { hanging: false };
    const reasons = new Map<string, string>();
    const target = await httpTarget((socket, { body }) => {
      const { upstream_id: id, reason } = JSON.parse(body) as { upstream_id: string; reason: string };
      reasons.set(id, reason);
      if (!hold.hanging) reply(socket, 204);
    });
    const starting = ServiceProcess.start({
      workers,
      ...(wrapper === undefined ? {} : { wrapper }),
      // A log on a disk that is full, beside the one that is not.
      main: 'error_log /dev/full info;',
      media: `resolver ${dns.address}; resolver_timeout ${PATIENCE.resolver}ms; ${dumps ? 'kmp_rtmp_in_dump_folder {folder};' : ''}
        ${media.includes('in_read_timeout') ? '' : `kmp_rtmp_in_read_timeout ${PATIENCE.in}ms;`} kmp_rtmp_out_timeout ${PATIENCE.out}ms;
        kmp_rtmp_out_min_process_delay 200ms; kmp_rtmp_out_max_process_delay 1s; kmp_rtmp_out_write_meta_timeout 10s;
        kmp_rtmp_out_notif_url ${target.url}; ${media}`,
    });
    const service = await starting.catch(async (error: unknown) => {
      await closeAll(
        () => target.close(),
        () => dns.close(),
      );
      throw error;
    });
    const fleet = new Fleet(service, dns, target, hold, reasons);
    fleet.timer = setInterval(() => fleet.tick(), 10);
    try {
      for (let i = 0; i < upstreams; i++) fleet.live.push(await fleet.open());
      await fleet.flowing(fleet.live);
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  /** While true, notifications are taken and never answered. */
  set hanging(hanging: boolean) {
    this.hold.hanging = hanging;
    if (!hanging) for (const socket of this.target.open) socket.destroy();
  }

  /** Notifications that are not answered yet. */
  get hung(): number {
    return this.target.open.size;
  }

  /** A new upstream. */
  async open({ host = '127.0.0.1', manners = {} as Manners } = {}): Promise<Publication> {
    const id = `u${this.names++}`;
    const ingest = await CheckingIngest.start((stream, kind) => this.checks.get(`${stream} ${kind}`));
    ingest.manners = manners;
    const data = { upstream_id: id, url: `rtmp://${host}:${ingest.port}/app/${id}` };
    const track = async (kind: 'video' | 'audio'): Promise<[LiveSender, TrackCheck]> => {
      const number = this.tracks++;
      const check = new TrackCheck(number, `${id} ${kind}`);
      this.checks.set(check.name, check);
      return [await LiveSender.open(this.service.kmpPort, number, kind, data), check];
    };
    const [video, videoCheck] = await track('video');
    const [audio, audioCheck] = await track('audio');
    const publication: Publication = { id, ingest, senders: [video, audio], checks: [videoCheck, audioCheck] };
    this.all.push(publication);
    this.sending.add(publication);
    return publication;
  }

  /** Waits until each has brought more frames than it had. */
  async flowing(some: readonly Publication[]): Promise<void> {
    const before = new Map(some.flatMap(({ checks }) => checks.map((check) => [check, check.received])));
    const silent = (): string[] =>
      [...before].flatMap(([{ name, received }, count]) => (received > count + 2 ? [] : [name]));
    await this.service
      .until('frames of all', () => silent().length === 0)
      .catch((error: unknown) => {
        throw new Error(`no frames of ${silent().join(', ')}`, { cause: error });
      });
  }

  /** Waits for the notification that an upstream has ended; its reason. */
  async ended({ id }: Publication): Promise<string> {
    await this.service.until(`the end of ${id}`, () => this.reasons.has(id));
    return this.reasons.get(id) ?? '';
  }

  /** What the service has open and alive with `live` as they are; asked when all is quiet. */
  async settled(): Promise<Quiet> {
    await this.settle();
    // Of several, the most: each is a moment, in which one thing or the other is there.
    const looks = [await this.service.probe.look(), await this.service.probe.look(), await this.service.probe.look()];
    const [first] = looks as [Look];
    const alive = { ...first.alive };
    for (const name of Object.keys(alive) as Living[]) alive[name] = Math.max(...looks.map((one) => one.alive[name]));
    return { descriptors: this.service.descriptors, look: { ...first, alive } };
  }

  private async settle(): Promise<void> {
    const ids = this.live.map(({ id }) => id).sort();
    let found: GlobalStatus['upstreams'] = {};
    const settled = this.service.until('the upstreams that should be there', async () => {
      found = (await this.service.status()).upstreams;
      return Object.keys(found).sort().join() === ids.join();
    });
    await settled.catch((error: unknown) => {
      const missing = ids.filter((id) => !Object.hasOwn(found, id));
      const left = Object.entries(found).filter(([id]) => !ids.includes(id));
      const what = `missing: ${missing.join()}; too many: ${JSON.stringify(left, undefined, 1)}`;
      throw new Error(what, { cause: error });
    });
  }

  /** Those that nothing happened to: every frame whole and in order, none repeated, all senders there. */
  assertUntouched(some: readonly Publication[]): void {
    for (const { id, senders, checks } of some) {
      for (const check of checks) {
        assert.deepEqual(check.wrong, []);
        // In order, on one connection, none left out.
        assert.deepEqual(check.repeated, { break: 0, upstream: 0 }, check.name);
        assert.deepEqual(check.missing(check.received), [], check.name);
      }
      assert.ok(
        senders.every(({ closed }) => !closed),
        `a sender of ${id} lost its connection`,
      );
    }
  }

  /** Nothing is held for what is gone, and little for what is there. */
  async assertNothingLeaked({ descriptors, look }: Quiet): Promise<void> {
    await this.settle();
    await this.service.until(
      `descriptors to go from ${this.service.descriptors} back to ${descriptors}`,
      () => this.service.descriptors <= descriptors + COMING_AND_GOING,
    );
    await this.service.until('memory given back to the upstreams', async () => {
      const { upstreams } = await this.service.status();
      return Object.values(upstreams).every(
        ({ mem_left: left, mem_limit: limit }) => left > limit / 2 && left <= limit,
      );
    });
    await this.assertNoneAlive(look);
  }

  /** In the service itself: no object of what has ended, no timer, no listener, and the heap as it was. */
  private async assertNoneAlive(before: Look): Promise<void> {
    const room: typeof ROOM = { ...ROOM, timers: COMING_AND_GOING + TIMERS_EACH * this.live.length };
    let left: string[] = [];
    for (let i = 0; i < LOOKS; i++) {
      const now = await this.service.probe.look();
      left = (Object.keys(now.alive) as Living[])
        .filter((name) => now.alive[name] > before.alive[name] + (room[name] ?? 0))
        .map((name) => `${name}: ${now.alive[name]}, before ${before.alive[name]}`);
      const grown = now.heap - before.heap;
      if (grown > HEAP_ROOM) left.push(`heap: ${(grown / 2 ** 20).toFixed(1)} MB more`);
      if (left.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    }
    assert.deepEqual(left, [], 'stays alive in the service');
  }

  /** Removes upstreams that have ended, or that are one too many, and opens new ones instead. */
  async restore(upstreams: number): Promise<void> {
    this.hanging = false;
    const ended = this.live.filter(({ senders }) => senders.some(({ closed }) => closed));
    for (const one of [...ended, ...this.live.slice(upstreams)]) {
      one.senders.forEach((sender) => sender.kill());
      const at = this.live.indexOf(one);
      if (at >= 0) this.live.splice(at, 1);
    }
    while (this.live.length < upstreams) this.live.push(await this.open());
    await this.flowing(this.live);
  }

  /** Ends a publication in good order, and checks that all that was sent has come. */
  async finish(some: readonly Publication[]): Promise<{ sent: number; missing: number }> {
    for (const { senders } of some) senders.forEach((sender) => sender.end());
    for (const one of some) assert.equal(await this.ended(one), 'done');
    const pairs = some.flatMap(({ senders, checks }) =>
      checks.map((check, i) => ({ check, sent: senders[i]?.sent ?? 0 })),
    );
    const missing = pairs.reduce((sum, { check, sent }) => sum + check.missing(sent).length, 0);
    return { sent: pairs.reduce((sum, { sent }) => sum + sent, 0), missing };
  }

  async close(): Promise<number | null> {
    clearInterval(this.timer);
    for (const { senders } of this.all) senders.forEach((sender) => sender.kill());
    this.hanging = false;
    const code = await this.service.stop();
    await closeAll(
      ...this.all.map(
        ({ ingest }) =>
          () =>
            ingest.kill(),
      ),
      () => this.target.close(),
      () => this.dns.close(),
    );
    return code;
  }

  private tick(): void {
    const now = performance.now();
    for (const one of this.sending) {
      for (const sender of one.senders) sender.tick(now);
      if (one.senders.every(({ closed }) => closed)) this.sending.delete(one);
    }
  }
}
