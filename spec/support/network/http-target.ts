import http from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.js';

/** A request as it came in: every byte of it, with nothing parsed away. */
export interface RawRequest {
  readonly head: string;
  readonly body: string;
}

export interface HttpTarget {
  readonly url: string;
  readonly requests: RawRequest[];
  /** Connections that are open now. */
  readonly open: Set<Socket>;
  /** The most that were open at a time. */
  readonly mostOpen: number;
  /** Resolves when `count` requests have come in. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Takes requests by hand and lets `answer` do with the connection whatever a spec needs. */
export async function httpTarget(answer: (socket: Socket, request: RawRequest) => void): Promise<HttpTarget> {
  const requests: RawRequest[] = [];
  const open = new Set<Socket>();
  let mostOpen = 0;
  const waiting: { count: number; resolve: () => void }[] = [];
  const server: Server = createServer((socket) => {
    open.add(socket);
    mostOpen = Math.max(mostOpen, open.size);
    let bytes = '';
    let seen = false;
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.on('data', (text: string) => {
      bytes += text;
      const end = bytes.indexOf('\r\n\r\n');
      if (seen || end < 0) return;
      const head = bytes.slice(0, end);
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (bytes.length < end + 4 + length) return;
      seen = true;
      const request = { head, body: Buffer.from(bytes.slice(end + 4), 'latin1').toString('utf8') };
      requests.push(request);
      answer(socket, request);
      for (const one of waiting) if (requests.length >= one.count) one.resolve();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}/notify`,
    requests,
    open,
    get mostOpen() {
      return mostOpen;
    },
    received: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** A complete answer. */
export function reply(socket: Socket, status: number, body = '', headers: Record<string, string> = {}): void {
  const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = http.STATUS_CODES[status] ?? '';
  socket.end(`HTTP/1.1 ${status} ${text}\r\nContent-Length: ${body.length}\r\n${extra.join('')}\r\n${body}`);
}
