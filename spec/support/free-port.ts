import net from 'node:net';
import { once } from 'node:events';

const given = new Set<number>();

/** A port of 127.0.0.1 that was free just now, for programs that cannot choose one themselves; never the same one twice. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}
