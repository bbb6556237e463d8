import net from 'node:net';
import { fillFramePacket, framePacketBuffer, TIMESCALE } from './kmp-bytes.js';
import type { LoadPlan } from './messages.js';
import { machineMs } from './time.js';
import { greeting, trackList, type Track } from './tracks.js';

const TICK_MS = 5;

interface Player {
  readonly track: Track;
  readonly socket: net.Socket;
  readonly start: number;
  number: number;
}

/** Live senders that stop when told to, and stay connected: their upstreams hold what they have sent. */
export class HoldingLoad {
  private players: Player[] = [];
  private readonly sockets: net.Socket[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly kmpPort: number,
    private readonly rtmpPort: number,
    /** `speed`: times real time. */
    private readonly plan: Omit<LoadPlan, 'streamsPerUpstream'> & { readonly speed: number },
  ) {}

  /** Tracks that still send. */
  get playing(): number {
    return this.players.length;
  }

  async start(): Promise<void> {
    const tracks = trackList({ ...this.plan, streamsPerUpstream: 1 });
    for (const track of tracks) {
      const socket = net.connect({ host: '127.0.0.1', port: this.kmpPort, noDelay: true });
      await new Promise<void>((done, failed) => socket.once('connect', done).once('error', failed));
      socket.on('error', () => {}).resume();
      socket.write(greeting(track, this.rtmpPort));
      this.sockets.push(socket);
      // Independent senders are not in step.
      this.players.push({ track, socket, start: machineMs() + ((track.index * 37) % 100), number: 0 });
    }
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** The tracks of upstream `id` send no more. */
  stop(id: string): void {
    this.players = this.players.filter(({ track }) => `u${track.upstream}` !== id);
  }

  close(): void {
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.destroy();
  }

  private tick(): void {
    const now = machineMs();
    for (const player of this.players) {
      const due = ((now - player.start) * this.plan.speed) / player.track.stepMs;
      while (player.number < due && player.socket.writableLength < 1 << 20) this.send(player, now);
    }
  }

  private send(player: Player, now: number): void {
    const { track, socket, number } = player;
    player.number += 1;
    const mean = track.audio ? this.plan.audioBytes : this.plan.videoBytes;
    const size = !track.audio && number % 60 === 0 ? mean * 4 : mean - 50 + ((number * 131) % 100);
    const packet = framePacketBuffer(size);
    const dts = Math.round((number * track.stepMs * TIMESCALE) / 1000) + TIMESCALE;
    const key = track.audio || number % 60 === 0;
    const created = Math.round((Date.now() * TIMESCALE) / 1000);
    const stamp = { sentAt: now, number, size, track: track.index, audio: track.audio };
    socket.write(packet.subarray(0, fillFramePacket(packet, created, dts, key, stamp)));
  }
}
