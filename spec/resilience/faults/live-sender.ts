import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import * as kmp from '../../support/kmp/kmp-bytes.js';
import { audioMinf, videoMinf } from '../../support/kmp/kmp-sender.js';
import { stampedPayload } from './stamp.js';

/** ms from frame to frame. */
export const STEP = { video: 40, audio: 20 } as const;
const SIZE = { video: 2500, audio: 250 } as const;
const GROUP = 25;

/** A sender of one live track, as plain as can be: it sends each frame at its time, and does not come back. */
export class LiveSender {
  sent = 0;
  /** Sends nothing, but stays. */
  frozen = false;
  closed = false;
  private due = performance.now();

  private constructor(
    private readonly socket: Socket,
    readonly track: number,
    readonly kind: 'video' | 'audio',
  ) {
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
    socket.resume();
  }

  static async open(port: number, track: number, kind: 'video' | 'audio', data: object): Promise<LiveSender> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    socket.write(Buffer.concat([kmp.connect(data, 'ch', `t${track}`), kind === 'video' ? videoMinf() : audioMinf()]));
    return new LiveSender(socket, track, kind);
  }

  /** Sends what is due. */
  tick(now: number): void {
    if (this.closed || this.frozen) {
      this.due = now;
      return;
    }
    for (; this.due <= now; this.due += STEP[this.kind]) this.frame(SIZE[this.kind]);
  }

  /** The next frame, whether it is due or not. */
  frame(size: number): void {
    const number = this.sent++;
    const dts = number * STEP[this.kind] * 90;
    const fields = kmp.frameFields(Date.now() * 90, dts, this.kind === 'video' && number % GROUP === 0 ? 1 : 0);
    this.socket.write(kmp.packet('fram', fields, stampedPayload({ track: this.track, number }, size)));
  }

  /** The end of the track. */
  end(): void {
    this.frozen = true;
    if (!this.closed) this.socket.end(kmp.end);
  }

  kill(): void {
    this.socket.resetAndDestroy();
  }
}
