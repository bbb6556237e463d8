import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';
import { connect } from '../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt } from '../support/kmp/kmp-sender.js';
import { LogLines } from '../support/service/log-lines.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { AT_ONCE_DIRECTIVES } from '../support/service/running-service.js';

const QUICK = `kmp_rtmp_out_answer_timeout 0; ${AT_ONCE_DIRECTIVES}`;

describe('listen', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: Service;
  let log: LogLines;
  let folder: string;
  const sockets: net.Socket[] = [];

  beforeEach(async () => {
    ingest = await ScriptableIngest.start();
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-listen-'));
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await service.stop();
    await ingest.close();
    rmSync(folder, { recursive: true });
  });

  async function start(server: string, more = ''): Promise<void> {
    log = new LogLines();
    // By their PROXY headers, most senders are on other machines.
    const media = `kmp_rtmp; kmp_rtmp_out_allow 127.0.0.1; ${QUICK}`;
    service = new Service(parseConfig(`stream { server { ${server} ${media} } } ${more}`), { log });
    await service.start();
  }
  function open(to: net.NetConnectOpts, ...bytes: Buffer[]): net.Socket {
    const socket = net.connect(to);
    sockets.push(socket);
    socket.on('error', () => {});
    for (const one of bytes) socket.write(one);
    return socket;
  }
  const closed = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));
  const tcp = (): net.NetConnectOpts => ({ host: '127.0.0.1', port: service.kmpAddresses[0]?.port ?? 0 });
  const media = (id: string): Buffer => {
    const data = { upstream_id: id, url: `rtmp://127.0.0.1:${ingest.port}/app/${id}` };
    return Buffer.concat([connect(data), audioMinf(), frameAt(0, `sound of ${id}`)]);
  };
  async function arrives(id: string): Promise<void> {
    const connection = await ingest.next();
    await connection.message(({ payload }) => payload.includes(`sound of ${id}`));
  }
  const senderOf = async (id: string): Promise<string | undefined> =>
    (await service.management.upstream(id))?.streams[id]?.tracks.audio?.input?.remote_addr;
  const header = (address: string): Buffer => Buffer.from(`PROXY TCP4 ${address} 192.0.2.1 4444 8005\r\n`);

  it('proxy_protocol shows the address of the client, and publishes what follows the header', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol;');
    open(tcp(), Buffer.concat([header('198.51.100.7'), media('u1')]));
    await arrives('u1');
    assert.equal(await senderOf('u1'), '198.51.100.7:4444');
    assert.match(log.text, /KMP connected.*198\.51\.100\.7:4444/);
    const v2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc6336408c0000201115c1f45', 'hex');
    const bytes = Buffer.concat([v2, media('u2')]);
    const socket = open(tcp());
    socket.setNoDelay(true);
    for (let at = 0; at < bytes.length; at += 5) {
      socket.write(bytes.subarray(at, at + 5));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await arrives('u2');
    assert.equal(await senderOf('u2'), '198.51.100.8:4444');
  });

  it('proxy_protocol shows the address of the proxy for a connection that it opens for itself', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol;');
    open(tcp(), Buffer.from('PROXY UNKNOWN\r\n'), media('u1'));
    await arrives('u1');
    assert.match((await senderOf('u1')) ?? '', /^127\.0\.0\.1:\d+$/);
  });

  it('proxy_protocol applies allow, deny and limits to the address of the client', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol; deny 198.51.100.0/24; kmp_rtmp_in_max_connections_per_address 1;');
    const denied = open(tcp(), header('198.51.100.7'), media('u1'));
    await closed(denied);
    assert.match(log.text, /KMP connection refused: denied by the configuration.*198\.51\.100\.7/);
    open(tcp(), header('192.0.2.9'), media('u2'));
    await arrives('u2');
    open(tcp(), header('192.0.2.10'), media('u3'));
    await arrives('u3');
    const second = open(tcp(), header('192.0.2.9'), media('u4'));
    await closed(second);
    assert.deepEqual((await service.management.upstreamIds()).ids, ['u2', 'u3']);
  });

  it('an address has half of all connections, except for loopback', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol; kmp_rtmp_in_max_connections 4;');
    for (const id of ['u1', 'u2']) {
      open(tcp(), header('198.51.100.7'), media(id));
      await arrives(id);
    }
    await closed(open(tcp(), header('198.51.100.7'), media('u3')));
    assert.match(log.text, /KMP connection refused: 2 connections are open from this address.*198\.51\.100\.7/);
    open(tcp(), header('198.51.100.8'), media('u4'));
    await arrives('u4');
    // Loopback addresses have no limit of their own.
    open(tcp(), header('127.0.0.1'), media('u5'));
    await arrives('u5');
  });

  it('proxy_protocol rejects a connection without a header, and one whose header does not arrive', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol; kmp_rtmp_in_read_timeout 200ms;');
    await closed(open(tcp(), media('u1')));
    assert.match(
      log.text,
      /KMP connection refused: no valid PROXY protocol header: the connection begins with other data/,
    );
    await closed(open(tcp(), Buffer.from('PROXY TC')));
    assert.deepEqual((await service.management.upstreamIds()).ids, []);
  });

  it('proxy_protocol counts connections without a header towards the limit', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol; kmp_rtmp_in_max_connections 2;');
    const silent = [open(tcp()), open(tcp())];
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    await closed(open(tcp(), header('192.0.2.9'), media('u1')));
    silent[0]?.destroy();
    let arrived = false;
    const retry = (): void => {
      if (!arrived) open(tcp(), header('192.0.2.9'), media('u1')).once('close', retry);
    };
    retry();
    await arrives('u1');
    arrived = true;
  });

  it('proxy_protocol works with several workers', async () => {
    await start('listen 127.0.0.1:0 proxy_protocol;', 'worker_processes 3;');
    for (const id of ['u1', 'u2', 'u3', 'u4', 'u5', 'u6']) {
      open(tcp(), header(`192.0.2.${id.slice(1)}`), media(id));
      await arrives(id);
      assert.equal(await senderOf(id), `192.0.2.${id.slice(1)}:4444`);
    }
  });

  it('unix: accepts KMP and HTTP on a socket file, which is removed at the end', async () => {
    const [kmp, web] = [join(folder, 'kmp.sock'), join(folder, 'web.sock')];
    await start(
      `listen unix:${kmp}; allow unix:; deny all;`,
      `http { server { listen unix:${web}; allow unix:; deny all; location / { kmp_rtmp_api; } } }`,
    );
    assert.equal(statSync(kmp).mode & 0o777, 0o666);
    open({ path: kmp }, media('u1'));
    await arrives('u1');
    assert.equal(await senderOf('u1'), 'unix:');
    const [response] = (await once(http.get({ socketPath: web, path: '/upstreams?list=1' }), 'response')) as [
      http.IncomingMessage,
    ];
    let text = '';
    for await (const part of response) text += String(part);
    assert.equal(text, '["u1"]');
    await service.stop();
    assert.deepEqual([existsSync(kmp), existsSync(web)], [false, false]);
  });

  it('unix: leaves what stands in the place of its socket files at the end', async (t) => {
    const [kmp, web] = [join(folder, 'kmp.sock'), join(folder, 'web.sock')];
    await start(`listen unix:${kmp};`, `http { server { listen unix:${web}; location / { kmp_rtmp_api; } } }`);
    // Another process has taken the place of one, and a file that of the other.
    const next = net.createServer((socket) => socket.end('next'));
    t.after(() => next.close());
    for (const path of [kmp, web]) unlinkSync(path);
    await once(next.listen(kmp), 'listening');
    writeFileSync(web, 'precious');
    await service.stop();
    assert.equal(readFileSync(web, 'utf8'), 'precious');
    const [said] = (await once(net.connect(kmp), 'data')) as [Buffer];
    assert.equal(said.toString(), 'next');
    assert.deepEqual(readdirSync(folder).sort(), ['kmp.sock', 'web.sock']);
  });

  it('unix: applies deny', async () => {
    const path = join(folder, 'kmp.sock');
    await start(`listen unix:${path}; deny all;`);
    await closed(open({ path }, media('u1')));
    assert.match(log.text, /denied by the configuration/);
  });

  it('unix: replaces a socket file that no process listens on, but no other file', async () => {
    const stale = join(folder, 'stale.sock');
    const leftover = net.createServer().listen(stale);
    await once(leftover, 'listening');
    // A killed process leaves its file: close() would remove it.
    const copy = join(folder, 'kmp.sock');
    linkSync(stale, copy);
    leftover.close();
    await start(`listen unix:${copy};`);
    open({ path: copy }, media('u1'));
    await arrives('u1');
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    for (const path of [copy, file]) {
      const second = new Service(parseConfig(`stream { server { listen unix:${path}; kmp_rtmp; } }`), { log });
      await assert.rejects(second.start(), /another process already listens there|cannot listen on unix:/);
    }
    assert.equal(existsSync(file), true);
  });
});
