/**
 * A crowd: a process of senders that come and go, or only come. Arguments: KMP port, RTMP port of the ingest, plan
 * (JSON). It says `ready` at once, and goes on by itself; `stop` lets no more come, and ends those that stay.
 */
import net from 'node:net';
import { Histogram } from './histogram.js';
import { endPacket, fillFramePacket, framePacketBuffer, TIMESCALE } from './kmp-bytes.js';
import { answer, ownCpuSeconds, ready, type CrowdPlan, type CrowdReport } from './messages.js';
import { machineMs } from './time.js';
import { greeting, trackList, type Track } from './tracks.js';

const TICK_MS = 5;
/** Tracks with smaller numbers belong to other senders to the same ingest. */
const FIRST_TRACK = 1_000_000;
const CONNECTS_AT_ONCE = 50;

const [kmpPort = 0, rtmpPort = 0] = process.argv.slice(2, 4).map(Number);
const plan = JSON.parse(process.argv[4] ?? '{}') as CrowdPlan;
const END = endPacket();

const lateness = new Histogram();
const acks = Buffer.alloc(65_536);
const onread = { buffer: acks, callback: () => true };
let came = 0;
let gone = 0;
let broken = 0;
let connecting = 0;
let sent = 0;
let stopped = false;

interface Visitor {
  readonly track: Track;
  readonly socket: net.Socket;
  /** machineMs. */
  readonly start: number;
  number: number;
}

const there = new Set<Visitor>();
const longest = Math.max(plan.videoBytes, plan.audioBytes) + 100;
let packet = framePacketBuffer(longest);

/** The tracks of one upstream, numbered as the `n`th of the crowd. */
function come(n: number): void {
  const tracks = trackList({ ...plan, upstreams: 1, streamsPerUpstream: 1 });
  for (const one of tracks) {
    const index = FIRST_TRACK + n * tracks.length + one.index;
    const track = { ...one, index, upstream: FIRST_TRACK + n };
    const socket = net.connect({ host: '127.0.0.1', port: kmpPort, noDelay: true, onread });
    connecting++;
    socket.once('connect', () => {
      connecting--;
      socket.write(greeting(track, rtmpPort));
      there.add({ track, socket, start: machineMs(), number: 0 });
    });
    socket.once('error', () => broken++);
    socket.once('close', () => gone++);
  }
  came++;
}

function send(visitor: Visitor, now: number): void {
  const { track, socket, number } = visitor;
  const size = (track.audio ? plan.audioBytes : plan.videoBytes) + ((number * 131) % 100);
  const dts = Math.round((number * track.stepMs * TIMESCALE) / 1000) + TIMESCALE;
  const stamp = { sentAt: now, number, size, track: track.index, audio: track.audio };
  const created = Math.round((Date.now() * TIMESCALE) / 1000);
  socket.write(packet.subarray(0, fillFramePacket(packet, created, dts, track.audio || number === 0, stamp)));
  if (socket.writableLength > 0) packet = framePacketBuffer(longest);
  lateness.add(now - visitor.start - number * track.stepMs);
  visitor.number++;
  sent++;
}

function leave(visitor: Visitor): void {
  there.delete(visitor);
  visitor.socket.end(END);
}

const began = machineMs();

function tick(): void {
  const now = machineMs();
  const due = stopped ? came : Math.min(plan.all, Math.floor(((now - began) * plan.perSecond) / 1000));
  while (came < due && connecting < CONNECTS_AT_ONCE) come(came);
  if (plan.stayMs === undefined) {
    if (stopped) there.forEach(leave);
    return;
  }
  for (const visitor of there) {
    const { start, track } = visitor;
    const until = Math.min(now, start + plan.stayMs);
    while (start + visitor.number * track.stepMs <= until) send(visitor, now);
    if (now >= start + plan.stayMs) leave(visitor);
  }
}

setInterval(tick, TICK_MS);
answer((question): CrowdReport => {
  if (question === 'stop') stopped = true;
  return { came, gone, broken, sent, cpuSeconds: ownCpuSeconds(), lateness: lateness.quantiles() };
});
ready({});
