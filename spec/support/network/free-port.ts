import dgram from 'node:dgram';
import net from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** The kernel's lowest port for outgoing connections and for listeners on port 0; others than Linux begin higher. */
const LINUX_DEFAULT = 32_768;
/** How many ports below that are used. */
const PORTS = 12_000;

/**
 * A port of 127.0.0.1 for a listener that chooses its port itself, that is closed and opened again, or that nobody
 * shall listen on. Until this process ends,
 *
 * - no outgoing connection and no listener on port 0 gets it: it is below the range that the kernel takes those from;
 * - no other process gets it from this function: a UDP socket on the port reserves it.
 *
 * @throws Error if all ports are in use
 */
export async function freePort(): Promise<number> {
  const first = firstEphemeral() - PORTS;
  const begin = Math.floor(Math.random() * PORTS);
  for (let i = 0; i < PORTS; i++) {
    const port = first + ((begin + i) % PORTS);
    if ((await reserve(port)) && (await canListen(port))) return port;
  }
  throw new Error(`no port from ${first} to ${first + PORTS - 1} is free`);
}

function firstEphemeral(): number {
  try {
    const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split('\t');
    return Math.max(1024 + PORTS, Number(first));
  } catch {
    return LINUX_DEFAULT;
  }
}

async function reserve(port: number): Promise<boolean> {
  const socket = dgram.createSocket('udp4').unref();
  try {
    socket.bind({ port, address: '127.0.0.1', exclusive: true });
    await once(socket, 'listening');
    return true;
  } catch {
    socket.close();
    return false;
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = net.createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
