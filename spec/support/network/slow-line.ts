import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';

/** ms between two steps of a limited line. */
const STEP = 50;

/** A line to a server, of which a spec sets the speed. What the server sends back is not limited. */
export class SlowLine {
  /** Bytes a second towards the server. */
  rate = Infinity;
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();

  private constructor(target: number) {
    this.server = net.createServer((near) => {
      const far = net.connect(target, '127.0.0.1');
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => {});
      }
      // A line that ends at one side ends at the other one.
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
      far.on('data', (bytes: Buffer) => near.write(bytes));
      this.forward(near, far);
    });
  }

  static async to(target: number): Promise<SlowLine> {
    const line = new SlowLine(target);
    line.server.listen(0, '127.0.0.1');
    await once(line.server, 'listening');
    return line;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  /** Reads only what may be sent in each step, so that the rest stays in the kernel's buffers. */
  private forward(near: net.Socket, far: net.Socket): void {
    near.pause();
    const timer = setInterval(() => {
      let left = this.rate === Infinity ? Infinity : (this.rate * STEP) / 1000;
      while (left > 0) {
        const bytes = (near.read(left === Infinity ? undefined : Math.min(left, near.readableLength)) ?? undefined) as
          Buffer | undefined;
        if (bytes === undefined) break;
        left -= bytes.length;
        far.write(bytes);
      }
    }, STEP);
    near.on('readable', () => {});
    near.once('close', () => clearInterval(timer));
  }
}
