/**
 * The load: a process that plays tracks as live senders do, each frame at its own time. Arguments: KMP port, RTMP port
 * of the ingest, plan (JSON).
 */
import net from 'node:net';
import { Histogram } from './histogram.js';
import { fillFramePacket, framePacketBuffer, TIMESCALE } from './kmp-bytes.js';
import { answer, ownCpuSeconds, PLAY_AFTER_MS, ready, type LoadPlan, type LoadReport } from './messages.js';
import { sleep, machineMs } from './time.js';
import { greeting, trackList, type Track } from './tracks.js';

/** Frames due within a tick go out together. Coarser ticks make receivers cheaper than independent senders would. */
const TICK_MS = 1;
/** A track this far behind its receiver waits: a sender's memory is no part of the measurement. */
const MAX_BACKLOG_BYTES = 4 << 20;
const CONNECTS_AT_ONCE = 20;

const [kmpPort = 0, rtmpPort = 0] = process.argv.slice(2, 4).map(Number);
const plan = JSON.parse(process.argv[4] ?? '{}') as LoadPlan;

const lateness = new Histogram();
const acks = Buffer.alloc(65_536);
let sent = 0;
let bytes = 0;
let stalls = 0;
let ackBytes = 0;
let lostConnections = 0;
let playing = false;

interface Player {
  readonly track: Track;
  readonly socket: net.Socket;
  number: number;
  /** When the next frame is due, machineMs. */
  due: number;
}

const players: Player[] = [];
const longest = Math.max(plan.videoBytes * 4, plan.videoBytes + 200, plan.audioBytes + 60);
let packet = framePacketBuffer(longest);

async function connect(track: Track): Promise<Player> {
  const onread = {
    buffer: acks,
    callback: (n: number): boolean => {
      ackBytes += n;
      return true;
    },
  };
  const socket = net.connect({ host: '127.0.0.1', port: kmpPort, noDelay: true, onread });
  await new Promise<void>((done, failed) => socket.once('connect', done).once('error', failed));
  socket.removeAllListeners('error').on('error', () => undefined);
  socket.once('close', () => {
    lostConnections += 1;
    playing &&= lostConnections < players.length;
  });
  socket.write(greeting(track, rtmpPort));
  return { track, socket, number: 0, due: 0 };
}

/** Size of a frame: video has a key frame of 4 x the mean every 60 frames; all others vary a little. */
function sizeOf({ audio }: Track, number: number): number {
  if (audio) return plan.audioBytes + ((number * 37) % 60);
  if (number % 60 === 0) return plan.videoBytes * 4;
  return Math.floor((plan.videoBytes * 19) / 20) + ((number * 131) % 200);
}

function send(player: Player, created: number): void {
  const { track, socket, number } = player;
  const size = sizeOf(track, number);
  const dts = Math.round((number * track.stepMs * TIMESCALE) / 1000) + TIMESCALE;
  const sentAt = machineMs();
  const stamp = { sentAt, number, size, track: track.index, audio: track.audio };
  const length = fillFramePacket(packet, created, dts, track.audio || number % 60 === 0, stamp);
  socket.write(packet.subarray(0, length));
  // The kernel took it all: the buffer is free again. Else it is the socket's now.
  if (socket.writableLength > 0) {
    stalls += 1;
    packet = framePacketBuffer(longest);
  }
  lateness.add(sentAt - player.due);
  player.number += 1;
  sent += 1;
  bytes += size;
}

function tick(): void {
  if (!playing) return;
  const now = machineMs();
  const created = Math.round((Date.now() * TIMESCALE) / 1000);
  for (const player of players) {
    while (player.due <= now && !player.socket.destroyed && player.socket.writableLength < MAX_BACKLOG_BYTES) {
      send(player, created);
      player.due += player.track.stepMs;
    }
  }
}

function report(): LoadReport {
  const cpuSeconds = ownCpuSeconds();
  return { sent, bytes, stalls, lostConnections, ackBytes, cpuSeconds, lateness: lateness.quantiles() };
}

answer((question) => {
  if (question === 'mark') lateness.clear();
  if (question === 'stop') playing = false;
  return report();
});

const tracks = trackList(plan);
while (players.length < tracks.length) {
  const batch = tracks.slice(players.length, players.length + CONNECTS_AT_ONCE);
  players.push(...(await Promise.all(batch.map(connect))));
  await sleep(2);
}
const start = machineMs() + PLAY_AFTER_MS;
// Tracks are spread over their frame time, as independent senders are.
players.forEach((player, i) => (player.due = start + (player.track.stepMs * ((i * 7919) % 1000)) / 1000));
playing = true;
setInterval(tick, TICK_MS);
ready({});
