import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KmpRtmpError } from '../../lib/base/errors.js';
import { UpstreamRefused, type KmpClientOptions, type OutFrame } from '../../lib/send/client-options.js';
import { KmpClient } from '../../lib/send/kmp-client.js';
import { eventually } from '../support/time/eventually.js';
import { videoInfo as info } from '../support/media/made-source.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { freePort } from '../support/network/free-port.js';
import { KmpPeer, type PeerConnection } from '../support/kmp/kmp-peer.js';
import { turns } from '../support/time/turns.js';

/** Frame n: its payload is its number. */
function frame(n: number, size = 4): OutFrame {
  const data = Buffer.alloc(size);
  data.writeUInt32BE(n);
  return { created: 90_000_000 + n * 3600, dts: n * 3600, ptsDelay: 7200, key: n % 10 === 0, data };
}

const numbers = (connection: PeerConnection): number[] => connection.frames.map((data) => data.readUInt32BE(0));
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);

describe('KmpClient', () => {
  let peer: KmpPeer;
  let clock: FakeClock;
  const clients: KmpClient[] = [];

  beforeEach(async () => {
    peer = await KmpPeer.listen();
    clock = new FakeClock();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await peer.close();
  });

  function make(options: Partial<KmpClientOptions> = {}): KmpClient {
    const connectData = '{"upstream_id":"u1","url":"rtmp://h/a/s"}';
    const port = peer.port;
    const client = new KmpClient({
      ...{ host: '127.0.0.1', port, channelId: 'ch1', trackId: 'v1', connectData, info, initialFrameId: 1000n, clock },
      ...options,
    });
    clients.push(client);
    return client;
  }

  async function send(client: KmpClient, from: number, to: number): Promise<void> {
    for (let n = from; n < to; n++) await client.frame(frame(n));
  }

  it('writes connect, media info, frames and end, byte for byte', async () => {
    const client = make();
    await client.open();
    await client.frame(frame(10));
    const connection = await peer.connection(0);
    await connection.saw('fram');
    connection.ack(1001n);
    await client.finish();
    await connection.saw('eost');
    const hex = connection.packets.map(({ header, data }) => `${header.toString('hex')}|${data.toString('hex')}`);
    const pad = (text: string, bytes: number): string =>
      Buffer.from(text)
        .toString('hex')
        .padEnd(bytes * 2, '0');
    assert.deepEqual(hex, [
      `${pad('cnct', 4)}68000000${'29000000'}00000000${pad('ch1', 32)}${pad('v1', 32)}` +
        `e803000000000000${'0'.repeat(16)}${'0'.repeat(16)}|` +
        Buffer.from('{"upstream_id":"u1","url":"rtmp://h/a/s"}').toString('hex'),
      `${pad('minf', 4)}300000000400000000000000` +
        `0000000007000000905f010040420f004001b400190000000100000000000000|0164001e`,
      // created 90036000, dts 36000, key frame, pts delay 7200
      `${pad('fram', 4)}280000000400000000000000` + `20d75d0500000000a08c00000000000001000000201c0000|0000000a`,
      `${pad('eost', 4)}100000000000000000000000|`,
    ]);
    assert.deepEqual([client.sent, client.acked, client.complete], [1, 1, true]);
  });

  it('a changed media info goes before the first frame that is made of it', async () => {
    const client = make();
    await client.open();
    await send(client, 0, 2);
    client.mediaInfo({ ...info, width: 640 });
    await send(client, 2, 4);
    const connection = await peer.connection(0);
    await eventually(() => connection.frames.length === 4, 'four frames');
    const types = connection.packets.map(({ type }) => type);
    assert.deepEqual(types, ['cnct', 'minf', 'fram', 'fram', 'minf', 'fram', 'fram']);
    assert.equal(connection.packets[4]?.header.readUInt16LE(32), 640);
  });

  it('reconnects after a cut and sends what was not acknowledged, from the key frame before it, with the same ids', async () => {
    const client = make();
    await client.open();
    await send(client, 0, 20);
    const first = await peer.connection(0);
    await eventually(() => first.frames.length === 20, 'all frames');
    first.ack(1012n);
    await eventually(() => client.acked === 12, 'the ack');
    first.socket.resetAndDestroy();
    await eventually(() => clock.untilNext === 200, 'the wait before the next attempt');
    // The pace goes on meanwhile: frames gather.
    await send(client, 20, 25);
    assert.equal(client.sent, 20);
    clock.advance(200);
    const second = await peer.connection(1);
    await eventually(() => second.frames.length === 15, 'the rest');
    assert.equal(second.initialFrameId, 1010n);
    assert.deepEqual(
      second.packets.slice(0, 2).map(({ type }) => type),
      ['cnct', 'minf'],
    );
    assert.deepEqual(numbers(second), upTo(10, 25));
    second.ack(1025n);
    await client.finish();
    assert.deepEqual([client.reconnects, client.sent, client.acked, client.complete], [1, 25, 25, true]);
  });

  it('announces the media info that held for the frame it resumes from', async () => {
    const client = make();
    await client.open();
    await send(client, 0, 4);
    client.mediaInfo({ ...info, width: 640 });
    await send(client, 4, 8);
    const first = await peer.connection(0);
    await eventually(() => first.frames.length === 8, 'all frames');
    first.ack(1002n);
    await eventually(() => client.acked === 2, 'the ack');
    first.socket.destroy();
    await eventually(() => clock.untilNext === 200, 'the wait');
    clock.advance(200);
    const second = await peer.connection(1);
    await eventually(() => second.frames.length === 8, 'the rest');
    const widths = second.packets.map(({ type, header }) => (type === 'minf' ? header.readUInt16LE(32) : type));
    assert.deepEqual(widths, ['cnct', 320, 'fram', 'fram', 'fram', 'fram', 640, 'fram', 'fram', 'fram', 'fram']);
  });

  it('an ack for frames that are still to be repeated does not make it skip any: the server counts them', async () => {
    const client = make();
    await client.open();
    await send(client, 0, 10);
    const first = await peer.connection(0);
    await eventually(() => first.frames.length === 10, 'all frames');
    first.socket.destroy();
    await eventually(() => clock.untilNext === 200, 'the wait');
    peer.onConnection = (connection) => connection.ack(1010n);
    clock.advance(200);
    const second = await peer.connection(1);
    await eventually(() => second.frames.length === 10, 'all of them again');
    assert.equal(second.initialFrameId, 1000n);
    await client.finish();
    assert.deepEqual(numbers(second), upTo(0, 10));
    assert.equal(client.complete, true);
  });

  it('waits longer from attempt to attempt, and gives up after retryFor', async () => {
    const client = make({ retryFor: 3000 });
    await client.open();
    await send(client, 0, 3);
    peer.onConnection = ({ socket }) => socket.destroy();
    (await peer.connection(0)).socket.destroy();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      // Connection timers come and go: what counts is the wait, once the connection before it is gone.
      await eventually(() => clock.pending === 1 && clock.untilNext === 200 * 2 ** (attempt - 1), `wait ${attempt}`);
      waits.push(clock.untilNext);
      clock.advance(clock.untilNext);
      await peer.connection(attempt);
    }
    assert.deepEqual(waits, [200, 400, 800, 1600]);
    await assert.rejects(client.finish(), { code: 'send_gave_up', message: /track v1.*3 frames were sent and 0 ack/ });
  });

  it('does not reconnect if that is turned off', async () => {
    const client = make({ reconnect: false });
    await client.open();
    await send(client, 0, 3);
    (await peer.connection(0)).socket.destroy();
    await assert.rejects(client.finish(), { code: 'send_closed' });
    await assert.rejects(client.frame(frame(3)), { code: 'send_closed' });
  });

  it('says what is wrong if nothing listens there', async () => {
    const port = await freePort();
    await assert.rejects(make({ port }).open(), (error) => {
      assert.ok(error instanceof KmpRtmpError);
      assert.equal(error.code, 'send_connect');
      assert.match(
        error.message,
        new RegExp(`127.0.0.1:${port}.*cannot be reached.*ECONNREFUSED.*is kmp-rtmp running there`),
      );
      return true;
    });
  });

  it('waits when the server does not read, and goes on when it does', async () => {
    peer.onConnection = ({ socket }) => socket.pause();
    const client = make();
    await client.open();
    let taken = 0;
    const sending = (async () => {
      for (; taken < 64; taken++) await client.frame(frame(taken, 1024 * 1024));
    })();
    const connection = await peer.connection(0);
    let before = -1;
    // Until two rounds of the loop take nothing more.
    while (before !== taken) {
      before = taken;
      await turns(50);
    }
    assert.ok(taken < 40, `${taken} MB were taken, though nothing was read`);
    connection.socket.resume();
    await sending;
    assert.equal(taken, 64);
    await eventually(() => connection.frames.length === 64, 'all frames');
  });

  it('waits for acknowledgements once as many bytes are held as it may hold', async () => {
    const client = make({ maxHeld: 10 * (1000 + 256) });
    await client.open();
    const connection = await peer.connection(0);
    connection.ack(1000n);
    await eventually(() => client.ackSeen, 'the first ack');
    let taken = 0;
    const sending = (async () => {
      for (; taken < 20; taken++) await client.frame(frame(taken, 1000));
    })();
    await eventually(() => connection.frames.length === 10, 'ten frames');
    await turns();
    assert.equal(taken, 9);
    connection.ack(1005n);
    await eventually(() => connection.frames.length === 15, 'five more');
    connection.ack(1015n);
    await sending;
  });

  it('ends when its upstream is refused, with the reason', async () => {
    const renew = (): Promise<never> => Promise.reject(new UpstreamRefused('no route any more', undefined));
    const client = make({ renew });
    await client.open();
    (await peer.connection(0)).socket.destroy();
    await eventually(() => clock.untilNext === 200, 'the wait');
    const room = assert.rejects(client.finish(), { code: 'send_refused', message: 'no route any more' });
    clock.advance(200);
    await room;
  });

  it('a server that never acknowledges: nothing is kept for longer than ten seconds, and the end is not held up', async () => {
    const client = make();
    await client.open();
    const first = await peer.connection(0);
    for (let n = 0; n < 30; n++) {
      await client.frame(frame(n));
      clock.advance(1000);
    }
    await eventually(() => first.frames.length === 30, 'all frames');
    await client.frame(frame(30));
    first.socket.destroy();
    await eventually(() => clock.untilNext === 200, 'the wait');
    clock.advance(200);
    const second = await peer.connection(1);
    await eventually(() => second.frames.length === 11, 'what is kept');
    assert.deepEqual([second.initialFrameId, numbers(second)], [1020n, upTo(20, 31)]);
    const finishing = client.finish();
    await eventually(() => clock.pending === 2, 'the wait for a first ack');
    clock.advance(6000);
    await second.saw('eost');
    // The last chance for an acknowledgement: a server may need the end of the stream to know the last group whole.
    await eventually(() => clock.pending === 2, 'the wait for an ack after the end');
    clock.advance(10_000);
    await finishing;
    assert.deepEqual([client.sent, client.acked, client.complete], [31, 0, false]);
  });

  it('takes frames for delivered once written if the server is known not to acknowledge', async () => {
    const client = make({ expectAcks: false });
    await client.open();
    await send(client, 0, 3);
    const connection = await peer.connection(0);
    await client.finish();
    assert.equal(connection.frames.length, 3);
    assert.deepEqual([client.acked, client.complete], [0, true]);
  });

  it('ends the track when only its last group is unacknowledged, and waits for the acks after that', async () => {
    const client = make();
    await client.open();
    await send(client, 0, 25);
    const connection = await peer.connection(0);
    await eventually(() => connection.frames.length === 25, 'all frames');
    // Key frames are 0, 10 and 20: a server that acknowledges whole groups stops here.
    connection.ack(1020n);
    await eventually(() => client.acked === 20, 'the ack');
    const finishing = client.finish();
    await eventually(() => clock.pending === 2, 'the wait for the rest');
    clock.advance(2000);
    await connection.saw('eost');
    connection.ack(1025n);
    await finishing;
    assert.deepEqual([client.acked, client.complete], [25, true]);
  });

  it('a server that acknowledges, but not all: the track is not complete', async () => {
    const client = make();
    await client.open();
    await send(client, 0, 5);
    const connection = await peer.connection(0);
    await eventually(() => connection.frames.length === 5, 'all frames');
    connection.ack(1004n);
    await eventually(() => client.acked === 4, 'the ack');
    const finishing = client.finish();
    await eventually(() => clock.pending === 2, 'the wait for the rest');
    // All of it is one group, which the server may have to see the end of.
    clock.advance(2000);
    await connection.saw('eost');
    await eventually(() => clock.pending === 2, 'the wait for an ack after the end');
    clock.advance(10_000);
    await finishing;
    assert.equal(client.complete, false);
  });

  it('tells the server that it is still there when no frame is due for long', async () => {
    const client = make();
    await client.open();
    const connection = await peer.connection(0);
    await connection.saw('minf');
    clock.advance(5000);
    await connection.saw('null');
    assert.equal(connection.packets.at(-1)?.header.toString('hex'), '6e756c6c100000000000000000000000');
  });

  it('an answer that is no KMP ends the connection with an error that says so', async () => {
    const client = make({ reconnect: false });
    await client.open();
    await send(client, 0, 1);
    (await peer.connection(0)).socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    await assert.rejects(client.finish(), { code: 'send_closed', message: /type is HTTP/ });
  });
});
