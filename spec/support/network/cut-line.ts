import { once } from 'node:events';
import net from 'node:net';
import { freePort } from './free-port.js';

/** A TCP line to a port of 127.0.0.1 that a spec cuts and mends. */
export class CutLine {
  private server = net.createServer();
  private readonly sockets = new Set<net.Socket>();

  private constructor(
    /** Connections to it arrive at the target. */
    readonly port: number,
    private readonly target: number,
  ) {}

  static async to(target: number): Promise<CutLine> {
    const line = new CutLine(await freePort(), target);
    await line.mend();
    return line;
  }

  /** Ends all connections, and accepts no others. */
  async cut(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  async mend(): Promise<void> {
    this.server = net.createServer((near) => {
      const far = net.connect(this.target, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(one);
        one.on('error', () => {});
        one.on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }
}
