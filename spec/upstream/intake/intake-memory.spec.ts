import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { IntakeMemory } from '../../../lib/upstream/intake/intake-memory.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { connect, connectFields, packet } from '../../support/kmp/kmp-bytes.js';
import { audioMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

/** An open connection counts 24 KB, and these bytes are allowed in all: 15 % of the memory of the process. */
const EACH = 24 * 1024;
const ALLOWED = 150_000;

describe('memory of KMP connections without an upstream', { timeout: 60_000 }, () => {
  let memory: IntakeMemory;
  let service: KmpService;
  let sockets: net.Socket[];

  beforeEach(async () => {
    memory = new IntakeMemory(ALLOWED / 0.15);
    service = await startKmp({}, { clock: new FakeClock(), intakeMemory: memory });
    sockets = [];
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await service.close();
  });

  async function open(): Promise<net.Socket> {
    const socket = net.connect(service.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    return socket;
  }
  const part = packet('cnct', connectFields(), Buffer.alloc(60_000, 'x'), { dataSize: 2 ** 20 });

  it('has a limit for all of them together: the connection that exceeds it is closed, and the others stay', async () => {
    const first = await open();
    first.write(part);
    await eventually(() => memory.used > EACH + 50_000, 'the first part');
    const second = await open();
    const ended = new Promise((resolve) => second.once('close', resolve));
    second.write(part);
    await ended;
    assert.match(service.log.text, /connections without connect data use too much memory of this process/);
    assert.ok(!first.closed);
    first.destroy();
    await eventually(() => memory.used === 0, 'all memory given back');
  });

  it('refuses connections if those that are open use all of it', async () => {
    const most = Math.floor(ALLOWED / EACH);
    for (let i = 0; i < most; i++) await open();
    await eventually(() => memory.used === most * EACH, 'the share of each');
    const one = await open();
    if (!one.closed) await new Promise((resolve) => one.once('close', resolve));
    assert.match(service.log.text, /refused: connections without connect data use \d+ bytes.*kmp_rtmp_mem_limit/);
    assert.equal(memory.used, most * EACH);
  });

  it('does not count connections that belong to an upstream', async () => {
    const ingest = await ScriptableIngest.start({ answers: true });
    const socket = await open();
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    socket.write(Buffer.concat([connect({ upstream_id: 'u1', url }), audioMinf()]));
    await service.upstream('u1');
    await eventually(() => memory.used === 0, 'the share given back');
    assert.ok(!socket.closed);
    await ingest.close();
  });
});
