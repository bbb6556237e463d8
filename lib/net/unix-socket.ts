import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';

/** The file of a Unix-domain socket, and what tells it from another one at its path. */
interface SocketFile {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
}

const files = new WeakMap<Server, SocketFile>();

/**
 * Has a server listen on a Unix-domain socket. Node removes whatever stands at the path that a server listens on when
 * the server is closed. It gets a path of its own therefore, and the file gets its name later.
 *
 * @param listen has the server listen on a path
 * @throws Error with the code EADDRINUSE if there is a file of another kind, or a socket in use
 */
export async function listenOnSocket(
  server: Server,
  path: string,
  listen: (path: string) => Promise<unknown>,
): Promise<void> {
  await removeStaleSocket(path);
  const name = basename(path);
  // Not longer than the name, if possible: the path of a socket has at most 107 bytes.
  const own = join(dirname(path), randomBytes(8).toString('hex').slice(0, Math.max(name.length, 6)));
  await listen(own);
  try {
    // As nginx does: the permissions of the folder restrict access.
    chmodSync(own, 0o666);
    linkSync(own, path);
    const { dev: device, ino: inode } = lstatSync(path, { bigint: true });
    files.set(server, { path, device, inode });
  } catch (error) {
    server.close();
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw Object.assign(new Error('there is a file', { cause: error }), { code: 'EADDRINUSE' });
    throw error;
  }
  unlinkSync(own);
}

/** Removes the file of a server that listens on a Unix-domain socket, unless another file has its place by now. */
export function removeSocket(server: Server): void {
  const file = files.get(server);
  if (file === undefined) return;
  files.delete(server);
  try {
    const { dev, ino } = lstatSync(file.path, { bigint: true });
    if (dev === file.device && ino === file.inode) unlinkSync(file.path);
  } catch {
    // It is gone, or its folder may not be changed any more.
  }
}

/** Removes a socket file that a killed process has left. A file of another kind, and a socket in use, are kept. */
async function removeStaleSocket(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const probe = connect(path);
  const inUse = await new Promise<boolean>((resolve) => {
    probe.once('connect', () => resolve(true));
    probe.once('error', (error) => resolve(!('code' in error && error.code === 'ECONNREFUSED')));
  });
  probe.destroy();
  if (!inUse) unlinkSync(path);
}
