import { once } from 'node:events';
import net from 'node:net';

/** A TCP relay that can be shut: then it is as if the line was cut. */
export class Door {
  private readonly open = new Set<net.Socket>();
  private readonly server: net.Server;
  private listensOn = 0;

  private constructor(private target: { readonly host: string; readonly port: number }) {
    this.server = net.createServer((near) => {
      const far = net.connect(this.target);
      for (const socket of [near, far]) {
        this.open.add(socket.setNoDelay(true));
        socket.on('error', () => {});
        socket.once('close', () => {
          this.open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  /** @param host default: this machine */
  static async to(port: number, host = '127.0.0.1'): Promise<Door> {
    const door = new Door({ host, port });
    await door.reopen();
    return door;
  }

  get port(): number {
    return this.listensOn;
  }

  /** New connections go there. */
  redirect(host: string, port: number): void {
    this.target = { host, port };
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.open) socket.resetAndDestroy();
  }

  /** Breaks all connections, and refuses new ones until {@link reopen}. */
  async shut(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.cut();
    await closed;
  }

  async reopen(): Promise<void> {
    this.server.listen(this.listensOn, '127.0.0.1');
    await once(this.server, 'listening');
    this.listensOn = (this.server.address() as net.AddressInfo).port;
  }

  async close(): Promise<void> {
    if (this.server.listening) await this.shut();
  }
}
