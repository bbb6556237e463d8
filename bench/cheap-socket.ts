import net from 'node:net';

/** 256 KB: what the kernel holds is taken in few reads. All sockets of a process share it: use the bytes at once. */
const shared = Buffer.alloc(256 * 1024);

interface WithHandle {
  _handle?: unknown;
}

/**
 * Listens on a free port of the loopback; every connection reads into one shared buffer, so that receiving makes no
 * garbage. Node offers that (`onread`) for outgoing sockets only. The constructor takes it together with an accepted
 * handle as well, which is not documented: where that fails, the connection reads the plain way, which costs more and
 * measures the same.
 *
 * @param onConnection returns what takes the bytes, `buffer[0 .. length)`, valid during the call only
 * @returns the port
 */
export function listenCheaply(
  onConnection: (reply: (bytes: Buffer) => void, socket: net.Socket) => (buffer: Buffer, length: number) => void,
  onClose: () => void,
): Promise<number> {
  const server = net.createServer({ pauseOnConnect: true }, (accepted) => {
    let take: (buffer: Buffer, length: number) => void = () => undefined;
    const socket = withSharedBuffer(accepted, (length) => take(shared, length)) ?? accepted;
    if (socket === accepted) socket.on('data', (bytes: Buffer) => take(bytes, bytes.length));
    take = onConnection((bytes) => socket.write(bytes), socket);
    socket.on('error', () => undefined).once('close', onClose);
    socket.resume();
  });
  return new Promise((done, failed) => {
    server.once('error', failed).listen(0, '127.0.0.1', 4096, () => {
      const address = server.address();
      done(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

function withSharedBuffer(accepted: net.Socket, onBytes: (length: number) => void): net.Socket | undefined {
  const source = accepted as net.Socket & WithHandle;
  const handle = source._handle;
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined;
  source._handle = null;
  const onread = {
    buffer: shared,
    callback: (length: number): boolean => {
      onBytes(length);
      return true;
    },
  };
  const options: net.SocketConstructorOpts & { handle: unknown; onread: typeof onread } = {
    handle,
    onread,
    readable: true,
    writable: true,
  };
  return new net.Socket(options);
}
