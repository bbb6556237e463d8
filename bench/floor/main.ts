/**
 * The floor: the least that Node could do for this work, as a measuring stick for the service. It is no service: it
 * has no limits, no reconnecting, no retention, no TLS, no check of its input, and it never stops an upstream. Each
 * track is a ring of bytes and a ring of numbers. One turn of an upstream reads, parses in place, merges, copies into
 * one warm buffer, writes once and acknowledges. Its own port is in the first message.
 */
import net from 'node:net';
import { readMediaInfoFields } from '../../lib/kmp/fields.js';
import type { MediaInfo } from '../../lib/media/media-info.js';
import { socketHandle } from '../../lib/node-internals/socket-handle.js';
import { answer, ready } from '../messages.js';
import { Arena } from './arena.js';
import { readNow } from './descriptor.js';
import { Upstream } from './upstream.js';

/** An interval in which each upstream has one turn, ms: the longer one is for many upstreams. */
const INTERVAL = 160;
const LONG_INTERVAL = 230;
const MANY = 500;
const PHASES = 8;
const GREETING_BYTES = 4096;

const upstreams = new Map<string, Upstream>();
const phases = Array.from({ length: PHASES }, (): Upstream[] => []);
const greetings = new Set<Greeting>();
const sockets: net.Socket[] = [];
let arena = new Arena();

/** The first bytes of a connection, up to the media info: from then on it is a track. */
class Greeting {
  private readonly bytes = Buffer.alloc(GREETING_BYTES);
  private length = 0;

  constructor(private readonly fd: number) {}

  /** @returns true once the track has joined its upstream */
  read(): boolean {
    this.length += Math.max(0, readNow(this.fd, this.bytes, this.length, GREETING_BYTES - this.length));
    const connect = this.packet(0);
    const info = connect === undefined ? undefined : this.packet(connect.end);
    if (connect === undefined || info === undefined) return false;
    const extraData = Buffer.from(this.bytes.subarray(info.data, info.end));
    const fields = readMediaInfoFields(this.bytes, connect.end + 16, connect.end);
    const rest = this.bytes.subarray(info.end, this.length);
    join(this.fd, this.bytes.toString('utf8', connect.data, connect.end), { ...fields, extraData }, rest);
    return true;
  }

  private packet(at: number): { readonly data: number; readonly end: number } | undefined {
    if (this.length < at + 16) return undefined;
    const data = at + this.bytes.readUInt32LE(at + 4);
    const end = data + this.bytes.readUInt32LE(at + 8);
    return this.length < end ? undefined : { data, end };
  }
}

function join(fd: number, connectData: string, info: MediaInfo, rest: Buffer): void {
  const { upstream_id: id, url } = JSON.parse(connectData) as { upstream_id: string; url: string };
  const upstream = upstreams.get(id) ?? new Upstream(new URL(url), place);
  if (!upstreams.has(id)) phases[upstreams.size % PHASES]?.push(upstream);
  upstreams.set(id, upstream);
  upstream.join({ fd, info, rest });
}

/** A place for the rings of an upstream. All of them lie in one arena. */
function place(size: number): { readonly arena: Arena; readonly base: number } {
  const base = arena.take(size);
  if (base !== undefined) return { arena, base };
  arena = new Arena(size);
  return place(size);
}

let turn = 0;
let nextTurn = performance.now();

function tick(): void {
  const now = performance.now();
  for (const greeting of greetings) if (greeting.read()) greetings.delete(greeting);
  const step = (upstreams.size > MANY ? LONG_INTERVAL : INTERVAL) / PHASES;
  // A late timer makes up for the turns that it missed, but no upstream has two of them.
  nextTurn = Math.max(nextTurn, now - (PHASES - 1) * step);
  for (; nextTurn <= now + 1; nextTurn += step) {
    for (const upstream of phases[turn++ % PHASES] ?? []) upstream.turn(Math.floor(now));
  }
  setTimeout(tick, Math.max(1, nextTurn - performance.now()));
}

const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
  const fd = socketHandle(socket)?.fd;
  if (fd === undefined) throw new Error('the floor needs the descriptors of sockets, which this Node does not show');
  // Node does not read the socket. It only has to stay.
  sockets.push(socket);
  greetings.add(new Greeting(fd));
});

answer(() => ({}));
tick();
server.listen(0, '127.0.0.1', 4096, () => {
  const address = server.address();
  ready({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
