import net from 'node:net';
import { eventually } from '../time/eventually.js';
import { startChild, type Child } from '../process/child.js';

/** A listener that accepts nothing: its process is stopped, and its backlog is full, so TCP connections to it hang. */
export class StalledServer {
  private constructor(
    private readonly child: Child,
    private readonly fill: readonly net.Socket[],
  ) {}

  static async start(host: string, port: number): Promise<StalledServer> {
    const listen = `require('node:net').createServer().listen({ host: '${host}', port: ${port}, backlog: 1 }, () => console.log('up'))`;
    const child = startChild(['-e', listen]);
    await child.says('up');
    child.kill('SIGSTOP');
    // The kernel accepts so many that wait for the process, and ignores the others.
    let connected = 0;
    const fill = Array.from({ length: 4 }, () => {
      const socket = net.connect({ host, port });
      socket.on('connect', () => connected++);
      socket.on('error', () => {});
      return socket;
    });
    await eventually(() => connected === 2, 'the backlog to be full');
    return new StalledServer(child, fill);
  }

  async close(): Promise<void> {
    for (const socket of this.fill) socket.destroy();
    this.child.kill('SIGKILL');
    await this.child.exit;
  }
}
