import net from 'node:net';
import type { AudioInfo, MediaInfo, VideoInfo } from '../../lib/media/media-info.js';
import { socketHandle } from '../../lib/node-internals/socket-handle.js';
import { ClientHandshake } from '../../lib/rtmp/handshake/client.js';
import { SessionWriter } from '../../lib/rtmp/session-writer.js';
import { Arena } from './arena.js';
import { writeNow } from './descriptor.js';
import { Track } from './track.js';

/** The service's default of `kmp_rtmp_out_min_process_delay`, ms. */
const PROCESS_DELAY = 500;
/** When a batch is written, frames that are due this soon go along, ms. */
const SLACK = 50;
/** Tracks that come later than this after the first one are no part of the measurement, ms. */
const JOIN_TIME = 500;
const SMALLEST_RING = 32 * 1024;

/** A connection that has sent its media info. */
export interface Joined {
  readonly fd: number;
  readonly info: MediaInfo;
  /** Bytes behind the media info that are read already. */
  readonly rest: Buffer;
}

type Place = (size: number) => { readonly arena: Arena; readonly base: number };

/** One upstream: its tracks, and the RTMP connection to its server. */
export class Upstream {
  private joined: Joined[] = [];
  private tracks: Track[] = [];
  private bytes: Buffer = Buffer.alloc(0);
  private video: VideoInfo | undefined;
  private audio: AudioInfo | undefined;
  private connecting = false;
  private fd = -1;
  private csid = 0;
  private msid = 0;
  private lastMs: number | undefined;
  private turns = 0;
  /** What the kernel did not take. */
  private left: Buffer | undefined;

  constructor(
    private readonly url: URL,
    private readonly place: Place,
  ) {}

  join(one: Joined): void {
    if (this.connecting) throw new Error(`a track of ${this.url.href} came after ${JOIN_TIME} ms`);
    if (one.info.mediaType === 'video') this.video = one.info;
    if (one.info.mediaType === 'audio') this.audio = one.info;
    if (this.joined.push(one) === 1) setTimeout(() => this.connect(), JOIN_TIME);
  }

  /** All work of a turn: read, merge, write once, acknowledge. */
  turn(now: number): void {
    this.turns++;
    // Audio is little: every second turn is enough.
    for (const track of this.tracks) if (track.open && (track.video || this.turns % 2 === 0)) track.fill(now);
    if (this.fd < 0 || !this.flushed()) return;
    const end = this.merge(now);
    if (end === Arena.output) return;
    const { bytes } = this;
    const written = writeNow(this.fd, bytes, Arena.output, end - Arena.output);
    if (Arena.output + written < end) this.left = Buffer.from(bytes.subarray(Arena.output + written, end));
    for (const track of this.tracks) track.release();
  }

  private flushed(): boolean {
    if (this.left === undefined) return true;
    const written = writeNow(this.fd, this.left, 0, this.left.length);
    this.left = written === this.left.length ? undefined : this.left.subarray(written);
    return this.left === undefined;
  }

  /** @returns the end of the output */
  private merge(now: number): number {
    let at = Arena.output;
    let delay = PROCESS_DELAY;
    for (let next = this.first(); next !== undefined; next = this.first()) {
      const ms = next.headMs;
      if (now - next.headArrived < delay || at + 2 * next.headSize > Arena.outputEnd) break;
      delay = PROCESS_DELAY - SLACK;
      const delta = this.lastMs === undefined ? undefined : Math.max(0, ms - this.lastMs);
      at = next.encode(at, this.csid, this.msid, delta);
      this.lastMs = ms;
    }
    return at;
  }

  /** The track whose first frame is the oldest. */
  private first(): Track | undefined {
    let found: Track | undefined;
    for (const track of this.tracks) {
      if (track.waiting && (found === undefined || track.headMs < found.headMs)) found = track;
    }
    return found;
  }

  /** All tracks are known: gives them their rings. */
  private makeTracks(): void {
    const sizes = this.joined.map(({ info }) => ringSize(info));
    const { arena, base } = this.place(sizes.reduce((sum, size) => sum + size, 0));
    let at = base;
    this.bytes = arena.bytes;
    this.tracks = this.joined.map(({ fd, info, rest }, i) => {
      const size = sizes[i] ?? SMALLEST_RING;
      const track = new Track(fd, info.mediaType === 'video', arena, at, size);
      track.preload(rest);
      at += size;
      return track;
    });
    this.joined = [];
  }

  private connect(): void {
    this.connecting = true;
    this.makeTracks();
    const { hostname, port, href, pathname } = this.url;
    const [, app = '', name = ''] = pathname.split('/');
    const handshake = new ClientHandshake();
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true }, () => {
      socket.write(handshake.hello());
    });
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      if (this.csid !== 0) return;
      const { reply, done } = handshake.feed(bytes);
      if (reply !== undefined) socket.write(reply);
      if (!done) return;
      const session = new SessionWriter();
      session.connect({ app, flashVer: '', swfUrl: '', tcUrl: href, pageUrl: '' });
      const stream = session.createStream(name, true);
      session.metadata(stream, this.video, this.audio);
      for (const info of [this.video, this.audio]) if (info !== undefined) session.sequenceHeader(stream, info);
      this.csid = stream.csid;
      this.msid = stream.msid;
      // From here on all bytes go past Node's stream, which must be empty then.
      socket.write(Buffer.concat(session.out.take()), () => (this.fd = socketHandle(socket)?.fd ?? -1));
    });
  }
}

/** Bytes of the ring of a track: about a second of it, a power of two. */
function ringSize({ bitrate }: MediaInfo): number {
  return 2 ** Math.ceil(Math.log2(Math.max(SMALLEST_RING, bitrate / 8)));
}
