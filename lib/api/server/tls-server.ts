import type { Socket } from 'node:net';
import tls, { type SecureContextOptions } from 'node:tls';
import { noLog, type Logger } from '../../base/logger.js';
import { peerName } from '../../net/peer.js';

/** Maximum duration of a TLS handshake, in ms. */
const HANDSHAKE_TIMEOUT = 10_000;

/** Does the TLS handshakes of connections that another server has accepted. */
export class TlsServer {
  private readonly server: tls.Server;
  /** The plain connections, by the address and port of the client. */
  private readonly pending = new Map<string, Socket>();

  /**
   * @param material certificates and keys
   * @param secured called with each connection after its handshake, and with the plain connection below it, which is
   *   unknown for Unix-domain sockets
   */
  constructor(
    material: SecureContextOptions,
    secured: (socket: tls.TLSSocket, plain: Socket | undefined) => void,
    log: Logger = noLog,
  ) {
    this.server = tls.createServer(
      { ...material, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_TIMEOUT, ALPNProtocols: ['http/1.1'] },
      (socket) => secured(socket, this.pending.get(clientOf(socket))),
    );
    this.server.on('tlsClientError', (error, socket) => {
      log.debug(`HTTPS: the handshake with ${peerName(socket)} failed: ${error.message}`);
      socket.destroy();
    });
  }

  /** Certificates and keys for later connections. */
  set material(material: SecureContextOptions) {
    this.server.setSecureContext({ ...material, minVersion: 'TLSv1.2' });
  }

  accept(socket: Socket): void {
    const client = clientOf(socket);
    if (socket.remotePort !== undefined) {
      this.pending.set(client, socket);
      socket.once('close', () => this.pending.delete(client));
    }
    // Node documents this event as the way to hand a connection to a TLS server.
    this.server.emit('connection', socket);
  }
}

function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
