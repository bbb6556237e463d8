import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '../time/eventually.js';
import { freePort } from '../network/free-port.js';

/** A packet as it came, taken apart with nothing but its two sizes. */
export interface PeerPacket {
  /** The four letters. */
  readonly type: string;
  /** All of the header, the first 16 bytes included. */
  readonly header: Buffer;
  readonly data: Buffer;
}

/** One connection of a sender. */
export class PeerConnection {
  readonly packets: PeerPacket[] = [];
  closed = false;
  private rest = Buffer.alloc(0);

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
  }

  /** The payloads of all frames so far. */
  get frames(): Buffer[] {
    return this.packets.filter(({ type }) => type === 'fram').map(({ data }) => data);
  }

  /** initial_frame_id of the connect packet. */
  get initialFrameId(): bigint {
    return this.packets[0]?.header.readBigUInt64LE(80) ?? -1n;
  }

  /** Sends `ackf` with the NEXT frame that is expected. */
  ack(frameId: bigint): void {
    const packet = Buffer.alloc(40);
    packet.write('ackf', 0, 'latin1');
    packet.writeUInt32LE(40, 4);
    packet.writeBigUInt64LE(frameId, 16);
    this.socket.write(packet);
  }

  /** Waits until a packet of this type has come. */
  saw(type: string): Promise<void> {
    return eventually(() => this.packets.some((packet) => packet.type === type), `a ${type} packet`);
  }

  private read(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 16) {
      const headerSize = this.rest.readUInt32LE(4);
      const size = headerSize + this.rest.readUInt32LE(8);
      if (this.rest.length < size) break;
      const header = this.rest.subarray(0, headerSize);
      this.packets.push({ type: header.toString('latin1', 0, 4), header, data: this.rest.subarray(headerSize, size) });
      this.rest = this.rest.subarray(size);
    }
  }
}

/** A KMP server for specs, which does only what the spec tells it to. */
export class KmpPeer {
  readonly connections: PeerConnection[] = [];
  /** Called for each new connection, before anything is read. */
  onConnection: (connection: PeerConnection) => void = () => undefined;
  private constructor(private readonly server: Server) {}

  /** @param port of one that was closed; default: a free one */
  static async listen(port?: number): Promise<KmpPeer> {
    const server = createServer();
    const peer = new KmpPeer(server);
    server.on('connection', (socket) => {
      const connection = new PeerConnection(socket);
      peer.connections.push(connection);
      peer.onConnection(connection);
    });
    server.listen(port ?? (await freePort()), '127.0.0.1');
    await once(server, 'listening');
    return peer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Waits for the n-th connection, from 0. */
  async connection(n: number): Promise<PeerConnection> {
    await eventually(() => this.connections.length > n, `connection ${n}`);
    const connection = this.connections[n];
    if (connection === undefined) throw new Error(`no connection ${n}`);
    return connection;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
