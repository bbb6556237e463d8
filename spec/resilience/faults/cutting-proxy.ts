import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Forwards TCP connections until it has to cut them. */
export class CuttingProxy {
  private readonly sockets = new Set<Socket>();
  /** Connections that were cut. */
  cuts = 0;
  private closedUntil = 0;

  private constructor(
    private readonly server: Server,
    private readonly to: number,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  static async start(to: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(createServer({ noDelay: true }), to);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /**
   * Resets what goes through it now, with whatever is on the way.
   *
   * @param away ms for which those that come back are refused
   */
  cut(away = 0): void {
    this.cuts += this.sockets.size > 0 ? 1 : 0;
    this.closedUntil = performance.now() + away;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await once(this.server.close(), 'close');
  }

  private accept(from: Socket): void {
    if (performance.now() < this.closedUntil) {
      from.on('error', () => {}).resetAndDestroy();
      return;
    }
    const to = connect({ port: this.to, host: '127.0.0.1', noDelay: true });
    from.pipe(to);
    to.pipe(from);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  }
}
