import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { createApp } from '../../../../lib/api/app.js';
import { createHttpServer } from '../../../../lib/api/server/http-server.js';
import { statusRouter } from '../../../../lib/api/status/router.js';
import { systemClock } from '../../../../lib/time/clock.js';
import { controlRouter } from '../../../../lib/control/router.js';
import { PublishError } from '../../../../lib/rtmp/publish-error.js';
import { dnsResolve } from '../../../../lib/rtmp/network/resolve.js';
import { MemoryManagement, sampleUpstream } from '../../../support/management/memory-management.js';
import { holds, refusal, type Target } from '../target.js';

let server: Server | undefined;
const management = new MemoryManagement([['u1', sampleUpstream()]]);

function makeServer(): Server {
  const locations = [
    { path: '/api/', access: [], api: { write: true } },
    { path: '/status', access: [], status: true },
    { path: '/metrics', access: [], metrics: { upstreams: true }, token: 's3cret' },
    { path: '/control', access: [], control: {} },
    { path: '/', access: [], health: true },
  ];
  const app = createApp({
    locations,
    management,
    health: { ready: () => true },
    status: () => statusRouter(management, { api: '/api/', clock: systemClock }),
    control: () => controlRouter([], { kmp: () => ({ host: '127.0.0.1', port: 8005 }) }),
  });
  return createHttpServer(app, { headersTimeout: 2000, requestTimeout: 2000 });
}

function port(of: { address(): AddressInfo | string | null } | undefined): number {
  return (of?.address() as AddressInfo).port;
}

const request = (line: string, headers = '', body = ''): Buffer =>
  Buffer.from(`${line} HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n${body}`);

/** Requests as bytes, over a socket: an answer of 2xx to 4xx, or a closed connection; never a failure of ours. */
export const httpRequests: Target = {
  name: 'http',
  share: 10,
  words: [
    'GET ',
    'DELETE ',
    'HEAD ',
    'OPTIONS ',
    'HTTP/1.1',
    '\r\n',
    'Host: ',
    '%2f',
    '%',
    '..',
    '?list=1',
    '__proto__',
    'Transfer-Encoding: chunked\r\n',
    'Expect: 100-continue\r\n',
  ],
  seeds: () => [
    request('GET /api/upstreams/u1/streams?list=1'),
    request('DELETE /api/upstreams/u1/tracks/8', 'Origin: http://localhost\r\n'),
    request('GET /metrics', 'Authorization: Bearer s3cret\r\n'),
    request('GET /status/', 'Accept-Encoding: gzip\r\nIf-None-Match: "x"\r\n'),
    request(
      'POST /control',
      'Content-Type: application/json\r\nContent-Length: 27\r\n',
      '{"event_type":"unpublish"}\n',
    ),
    request('GET /healthz', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  ],
  open: async () => {
    server = makeServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
  },
  close: async () => {
    server?.closeAllConnections();
    server?.close();
    await (server && once(server, 'close'));
  },
  async run(input) {
    // An event stream does not end by itself: what has answered, and is silent, is left.
    const socket = connect({ port: port(server), host: '127.0.0.1' });
    let text = '';
    let answered: (() => void) | undefined;
    const quiet = new Promise<void>((resolve) => (answered = resolve));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.includes('text/event-stream')) answered?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => answered?.());
    socket.end(input);
    await quiet;
    socket.destroy();
    if (!management.upstreams.has('u1')) management.upstreams.set('u1', sampleUpstream());
    const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));
    holds(
      statuses.every((status) => status < 500),
      `answers ${statuses.join(' ')}: ${text.slice(0, 300)}`,
    );
    holds(text === '' || statuses.length > 0, `an answer that is none: ${text.slice(0, 100)}`);
    return statuses.slice(0, 3).join(' ') || 'closed';
  },
};

let dns: UdpSocket | undefined;
let dnsAnswer = Buffer.alloc(0);

const dnsReply = (counts: string, tail: string): Buffer => Buffer.from(`8180${counts}${tail}`, 'hex');
// The question is put in by the server; an answer points to its name.
const address = 'c00c00010001000000000004';

/** Answers of a DNS server: addresses, or a PublishError; never a wait without end. */
export const dnsAnswers: Target = {
  name: 'dns',
  share: 200,
  seeds: () => [
    dnsReply('0001000100000000', `${address}7f000001`),
    dnsReply('0001000200000000', `${address}0a000001${address}0a000002`),
    Buffer.from('81830001000000000000', 'hex'),
  ],
  open: async () => {
    dns = createSocket('udp4');
    dns.on('message', (query, peer) => {
      const end = query.indexOf(0, 12) + 5;
      // id, flags and counts, the question as it was asked, and what comes behind it.
      const answer = [query.subarray(0, 2), dnsAnswer.subarray(0, 10), query.subarray(12, end), dnsAnswer.subarray(10)];
      dns?.send(Buffer.concat(answer), peer.port, peer.address);
    });
    dns.bind(0, '127.0.0.1');
    await once(dns, 'listening');
  },
  close: async () => {
    await new Promise<void>((resolve) => dns?.close(() => resolve()));
  },
  async run(input) {
    dnsAnswer = Buffer.from(input);
    const resolve = dnsResolve({ servers: [`127.0.0.1:${port(dns)}`], timeout: 300, ipv4: true, ipv6: false });
    const began = performance.now();
    try {
      const found = await resolve('example.test');
      return `${Math.min(found.length, 3)} addresses`;
    } catch (error) {
      return refusal(error, PublishError);
    } finally {
      holds(performance.now() - began < 5000, 'an end in time');
    }
  },
};
