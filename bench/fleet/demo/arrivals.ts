/** The RTMP ingest of the demo: it checks each frame, and knows which node published it. */
import { Ingest, type IngestStream } from '../../../lib/ingest/ingest.js';
import type { IngestMessage } from '../../../lib/ingest/ingest-stream.js';
import { parseAudioBody, parseVideoBody } from '../../../lib/source/flv/flv-body.js';
import { machineMs } from '../../time.js';
import { readPayload, STEP, type Kind } from './media.js';

/** What happened to one track. */
interface TrackRecord {
  readonly name: string;
  readonly kind: Kind;
  /** When each frame was sent, by its number. */
  readonly sentAt: number[];
  /** How often each frame arrived, by its number. */
  readonly arrived: number[];
  /** Number of the newest frame that arrived; -1: none. */
  newest: number;
  /** When the last frame arrived, and by which node. */
  lastAt: number;
  node: string;
}

/** The node that the newest video and audio frame of each upstream came from, by its name. */
export type Owners = ReadonlyMap<string, Readonly<Record<Kind, string>>>;

/** What happened between two moments. */
export interface Period {
  frames: number;
  lost: number;
  repeated: number;
  /** ms: longest time without a video frame of an upstream. */
  gap: number;
}

export class Arrivals {
  /** Frames that arrived damaged, or with a wrong timestamp. */
  damaged = 0;
  /** Publishes that were refused because another node still published the same name. */
  refused = 0;
  private readonly ingest = new Ingest({
    maxConnections: 10_000,
    refuse: ({ app, name }) => {
      if (!this.ingest.streams.some((stream) => stream.app === app && stream.name === name)) return undefined;
      this.refused++;
      return { code: 'NetStream.Publish.BadName', description: 'this name is published already' };
    },
  });
  private readonly tracks: TrackRecord[] = [];
  private readonly periods: { readonly from: number; readonly totals: Period }[] = [];

  constructor() {
    this.ingest.on('stream', (stream) => this.take(stream));
  }

  /** @returns the port of the ingest */
  listen(): Promise<number> {
    return this.ingest.listen(0);
  }

  close(): Promise<void> {
    return this.ingest.close();
  }

  /** A new track; @returns its number, for {@link sent}. */
  add(name: string, kind: Kind): number {
    const index = this.tracks.length;
    this.tracks.push({ name, kind, sentAt: [], arrived: [], newest: -1, lastAt: Infinity, node: '' });
    return index;
  }

  /** The next frame of the track was handed to its sender. */
  sent(track: number): void {
    this.tracks[track]?.sentAt.push(machineMs());
  }

  /** Repeated frames and gaps count for this period from now on, and frames that are sent from now on. */
  begin(): Period {
    const totals: Period = { frames: 0, lost: 0, repeated: 0, gap: 0 };
    this.periods.push({ from: machineMs(), totals });
    return totals;
  }

  /** Counts what was sent and did not arrive, by the period in which it was sent. */
  countLost(): void {
    for (const { totals } of this.periods) Object.assign(totals, { frames: 0, lost: 0 });
    for (const { sentAt, arrived } of this.tracks) {
      sentAt.forEach((at, number) => {
        const totals = this.periods.findLast(({ from }) => from <= at)?.totals;
        if (totals === undefined) return;
        totals.frames++;
        if (arrived[number] === undefined) totals.lost++;
      });
    }
  }

  /** Whether all frames that were sent have arrived. */
  get complete(): boolean {
    return this.tracks.every(({ sentAt, arrived }) => sentAt.every((_, number) => arrived[number] !== undefined));
  }

  /** The names of tracks of which no frame has arrived that was sent at this time or later. */
  waitingFor(since: number): string[] {
    return this.tracks
      .filter(({ sentAt, newest }) => (sentAt[newest] ?? 0) < since)
      .map(({ name, kind }) => `${name} (${kind})`);
  }

  owners(): Owners {
    const owners = new Map<string, Record<Kind, string>>();
    for (const { name, kind, node } of this.tracks) {
      const both = owners.get(name) ?? { video: '', audio: '' };
      both[kind] = node;
      owners.set(name, both);
    }
    return owners;
  }

  private take(stream: IngestStream): void {
    // Each node has a flashVer of its own.
    const node = stream.connect.flashVer;
    stream.on('message', (message) => {
      if (message.kind !== 'data') this.message(message, message.kind, node);
    });
  }

  private message({ payload, timestamp }: IngestMessage, kind: Kind, node: string): void {
    const body = kind === 'video' ? parseVideoBody(payload) : parseAudioBody(payload);
    if (body.kind !== 'frame') return;
    const stamp = readPayload(body.data, kind);
    const track = stamp && this.tracks[stamp.track];
    if (stamp === undefined || track?.kind !== kind || timestamp !== stamp.number * STEP[kind]) {
      this.damaged++;
      return;
    }
    const totals = this.periods.at(-1)?.totals;
    const now = machineMs();
    if (totals !== undefined) {
      if (kind === 'video') totals.gap = Math.max(totals.gap, now - track.lastAt);
      if (track.arrived[stamp.number] !== undefined) totals.repeated++;
    }
    track.arrived[stamp.number] = (track.arrived[stamp.number] ?? 0) + 1;
    track.newest = Math.max(track.newest, stamp.number);
    Object.assign(track, { lastAt: now, node });
  }
}
