import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { PublishError } from '../../../lib/rtmp/publish-error.js';
import { RtmpPublisher, type PublisherOptions } from '../../../lib/rtmp/network/publisher.js';
import type { TlsSettings } from '../../../lib/rtmp/network/tcp-connect.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { ScriptableIngest, type Script } from '../../support/ingest/scriptable-ingest.js';
import { ca, serverTls } from '../../support/network/tls-fixture.js';
import { turns } from '../../support/time/turns.js';

const TIMEOUT = 10_000;

describe('RtmpPublisher', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let clock: FakeClock;
  let publisher: RtmpPublisher | undefined;
  let states: string[];
  let replies: Buffer[];

  async function listen(script: Script = {}): Promise<void> {
    ingest = await ScriptableIngest.start({ anyBytes: true, ...script });
  }
  function publish(more: Partial<PublisherOptions> = {}, port = ingest.port): RtmpPublisher {
    publisher = new RtmpPublisher({
      target: { host: 'ingest.example', port, tls: undefined },
      header: undefined,
      timeout: TIMEOUT,
      clock,
      resolve: () => Promise.resolve(['127.0.0.1']),
      onState: (state) => states.push(state),
      onReply: (bytes) => replies.push(bytes),
      ...more,
    });
    return publisher;
  }
  /** How it fails. */
  const failure = async (of: RtmpPublisher): Promise<PublishError> => {
    const [error] = (await once(of, 'error')) as [PublishError];
    return error;
  };
  const batch = (bytes: Buffer, sent?: () => void) => ({
    buffers: [bytes],
    bytes: bytes.length,
    ...(sent === undefined ? {} : { sent }),
  });
  const untilState = (state: string): Promise<void> => eventually(() => states.includes(state), state);

  beforeEach(() => {
    clock = new FakeClock();
    states = [];
    replies = [];
  });
  afterEach(async () => {
    publisher?.on('error', () => {});
    publisher?.destroy();
    await ingest.close();
  });

  it('goes through its states, sends every byte in order, and closes', async () => {
    await listen();
    const sent: number[] = [];
    const it = publish();
    // What is written before there is a connection waits.
    it.write(batch(Buffer.from('one '), () => sent.push(1)));
    it.write({ buffers: [Buffer.from('two '), Buffer.from('three '), Buffer.alloc(0)], bytes: 10 });
    it.write(batch(Buffer.from('four'), () => sent.push(4)));
    it.end();
    await once(it, 'finish');
    const connection = await ingest.next();
    await connection.closed;
    assert.equal(connection.raw().toString(), 'one two three four');
    assert.deepEqual(states, ['resolving', 'connecting', 'handshaking', 'publishing', 'closing']);
    assert.deepEqual(sent, [1, 4]);
    const handshake = 1537 + 1536;
    assert.deepEqual([it.writtenBytes, it.sentBytes], [handshake + 18, handshake + 18]);
    assert.equal(it.receivedBytes, 1 + 1536 + 1536);
    // The time limit for the end of the connection ends with it.
    await eventually(() => clock.pending === 0, 'the end of all timers');
  });

  it('knows both ends while it is connected', async () => {
    await listen();
    const it = publish();
    assert.deepEqual([it.remoteAddress, it.localAddress], ['', '']);
    await untilState('publishing');
    const connection = await ingest.next();
    assert.equal(it.remoteAddress, `127.0.0.1:${ingest.port}`);
    assert.equal(it.localAddress, `127.0.0.1:${connection.socket.remotePort}`);
  });

  it('sends the header ahead of the handshake', async () => {
    const header = Buffer.from('PROXY TCP4 ...\r\n');
    await listen({ headerLength: header.length });
    const it = publish({ header });
    it.end(batch(Buffer.from('body')));
    const connection = await ingest.next();
    await connection.closed;
    assert.equal(connection.raw().toString(), `${header.toString()}body`);
    assert.equal(connection.hello[0], 3);
    assert.equal(it.writtenBytes, header.length + 1537 + 1536 + 4);
  });

  it('passes on what the server says, from the first byte behind S2 on', async () => {
    await listen({ behindHandshake: Buffer.from('hello') });
    publish();
    const connection = await ingest.next();
    await untilState('publishing');
    connection.write(Buffer.from(' and more'));
    await eventually(() => Buffer.concat(replies).toString() === 'hello and more', 'the replies');
    assert.equal(publisher?.receivedBytes, 3073 + 14);
  });

  describe('gives up a server that', () => {
    for (const [stallAt, missing] of [
      ['nothing', 'no S0 and S1'],
      ['s0', 'no S0 and S1'],
      ['half-s1', 'no S0 and S1'],
      ['s1', 'no S2'],
      ['half-s2', 'no S2'],
    ] as const) {
      it(`stops its handshake at: ${stallAt}`, async () => {
        await listen({ stallAt });
        const it = publish();
        const failed = failure(it);
        const connection = await ingest.next();
        await connection.until(() => connection.hello.length > 0);
        if (missing === 'no S2') await connection.until(() => connection.c2.length > 0);
        else
          await eventually(() => it.receivedBytes === { nothing: 0, s0: 1, 'half-s1': 769 }[stallAt as 's0'], 'bytes');
        clock.advance(TIMEOUT - 1);
        assert.equal(it.destroyed, false);
        clock.advance(1);
        const { stage, message } = await failed;
        assert.equal(stage, 'handshake');
        assert.match(message, new RegExp(`^handshake with 127\\.0\\.0\\.1:\\d+ failed: ${missing} within 10000 ms$`));
        await connection.closed;
        assert.equal(clock.pending, 0);
      });
    }

    it('has a limit for each step of the handshake, not for all', async () => {
      await listen({ s2AfterC2: true, stallAt: 's1' });
      publish();
      const connection = await ingest.next();
      await connection.until(() => connection.hello.length > 0);
      // Nearly all of the first step's time goes by before S1 is looked at.
      clock.advance(TIMEOUT - 1);
      await connection.until(() => connection.c2.length > 0);
      clock.advance(TIMEOUT - 1);
      connection.write(connection.hello.subarray(1));
      await untilState('publishing');
      assert.equal(clock.pending, 0);
    });

    it('is no RTMP server', async () => {
      await listen({ insteadOfHandshake: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') });
      const { stage, message } = await failure(publish());
      assert.equal(stage, 'handshake');
      assert.match(message, /version 72 where 3 was expected/);
    });

    for (const how of ['end', 'reset'] as const) {
      it(`hangs up in the handshake (${how})`, async () => {
        await listen({ stallAt: 's0' });
        const failed = failure(publish());
        const connection = await ingest.next();
        await connection.until(() => connection.hello.length > 0);
        connection[how]();
        const { stage, message } = await failed;
        assert.equal(stage, 'handshake');
        // With bytes still to be read, the system may show a reset as an end.
        assert.match(
          message,
          /^handshake with 127\.0\.0\.1:\d+ failed: (the server closed the connection|.*ECONNRESET)$/,
        );
      });

      it(`hangs up later (${how})`, async () => {
        await listen();
        const failed = failure(publish());
        const connection = await ingest.next();
        await untilState('publishing');
        connection[how]();
        const { stage, message } = await failed;
        assert.equal(stage, 'recv');
        assert.match(message, how === 'end' ? /^127\.0\.0\.1:\d+: the server closed the connection$/ : /ECONNRESET/);
      });
    }

    it('takes what the kernel had accepted, but not enough for the kernel to accept more, is only slow', async () => {
      await listen({ reads: 'never' });
      let taken = 0;
      const it = publish({ progress: () => Promise.resolve(taken) });
      const failed = failure(it);
      for (let i = 0; i < 32; i++) it.write(batch(Buffer.alloc(2 ** 20)));
      await untilState('publishing');
      await eventually(() => clock.pending > 0 && it.writableLength > 1, 'a write that waits');
      for (let i = 0; i < 8; i++) {
        clock.advance(TIMEOUT / 2);
        await turns();
        taken++;
        clock.advance(TIMEOUT / 2);
        await turns();
        assert.equal(it.destroyed, false);
      }
      for (let i = 0; i < 3 && !it.destroyed; i++) {
        clock.advance(TIMEOUT);
        await turns();
      }
      assert.match((await failed).message, /took no byte for 10000 ms$/);
    });

    for (const [what, progress] of [
      ['is unknown', () => Promise.resolve(undefined)],
      ['never becomes known', () => new Promise<undefined>(() => {})],
    ] as const) {
      it(`takes no byte, and what the kernel has ${what}`, async () => {
        await listen({ reads: 'never' });
        const it = publish({ progress });
        const failed = failure(it);
        for (let i = 0; i < 32; i++) it.write(batch(Buffer.alloc(2 ** 20)));
        await untilState('publishing');
        await eventually(() => clock.pending > 0 && it.writableLength > 1, 'a write that waits');
        // One measurement may fail.
        for (let i = 0; i < 2; i++) {
          clock.advance(TIMEOUT / 2);
          await turns();
        }
        assert.equal(it.destroyed, false);
        for (let i = 0; i < 40 && !it.destroyed; i++) {
          clock.advance(TIMEOUT / 2);
          await turns();
        }
        assert.equal(it.destroyed, true);
        const { stage, message } = await failed;
        assert.equal(stage, 'send');
        assert.match(message, /took no byte for \d+ ms$/);
      });
    }

    it('takes no byte', async () => {
      await listen({ reads: 'never' });
      const it = publish();
      const failed = failure(it);
      let sent = 0;
      for (let i = 0; i < 32; i++) it.write(batch(Buffer.alloc(2 ** 20), () => sent++));
      await untilState('publishing');
      // Until the kernel takes no more.
      await eventually(() => clock.pending > 0 && it.writableLength > 1, 'a write that waits');
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.ok(sent < 32, `${sent} MB are gone`);
      clock.advance(TIMEOUT - 1);
      assert.equal(it.destroyed, false);
      // The kernel may take a little at first: that is progress.
      for (let i = 0; i < 3 && !it.destroyed; i++) clock.advance(TIMEOUT);
      const { stage, message } = await failed;
      assert.equal(stage, 'send');
      assert.match(message, /^127\.0\.0\.1:\d+ took no byte for 10000 ms$/);
      assert.ok(it.sentBytes < it.writtenBytes);
    });
  });

  it('bears with a server that is slow', async () => {
    await listen({ reads: 2 ** 18, forget: true });
    const it = publish();
    const size = 2 ** 24;
    const finished = once(it, 'finish');
    it.end(batch(Buffer.alloc(size)));
    await untilState('publishing');
    const connection = await ingest.next();
    for (let step = 1; step <= 8; step++) {
      await connection.until(() => connection.receivedBytes >= (size / 8) * step - 2 ** 18);
      clock.advance(TIMEOUT - 1);
    }
    await finished;
    await connection.closed;
    assert.equal(connection.receivedBytes, size);
  });

  it('tries one address after the other, and says what was wrong with each', async () => {
    await listen();
    const it = publish({ resolve: () => Promise.resolve(['::1', '127.0.0.1']) });
    await untilState('publishing');
    assert.equal(it.remoteAddress, `127.0.0.1:${ingest.port}`);
    it.destroy();
    const { port } = ingest;
    await ingest.close();
    const { stage, message } = await failure(publish({ resolve: () => Promise.resolve(['::1', '127.0.0.1']) }, port));
    assert.equal(stage, 'handshake');
    assert.match(
      message,
      new RegExp(`^could not connect: ::1 port ${port}: .*; 127\\.0\\.0\\.1 port ${port}: .*REFUSED`),
    );
  });

  it('connects only where it may', async () => {
    await listen();
    const asked: unknown[] = [];
    const permit: PublisherOptions['permit'] = (...about) => {
      asked.push(about);
      return about[0] === '127.0.0.1';
    };
    publish({ permit, resolve: () => Promise.resolve(['192.0.2.1', '127.0.0.1']) });
    await untilState('publishing');
    const [port, host] = [ingest.port, 'ingest.example'];
    assert.deepEqual(asked, [
      ['192.0.2.1', port, host],
      ['127.0.0.1', port, host],
    ]);
    publisher?.destroy();
    const { stage, message } = await failure(publish({ permit: () => false }));
    assert.equal(stage, 'start_connect');
    assert.match(message, /^127\.0\.0\.1 port \d+ may not be connected to/);
    assert.equal(ingest.connections.length, 1);
  });

  describe('destroyed', () => {
    it('while a name is resolved: connects nowhere, and says nothing', async () => {
      await listen();
      let answer: (addresses: string[]) => void = () => {};
      const it = publish({ resolve: () => new Promise((resolve) => (answer = resolve)) });
      await untilState('resolving');
      const closed = once(it, 'close');
      it.destroy();
      answer(['127.0.0.1']);
      await closed;
      assert.deepEqual(states, ['resolving']);
      assert.equal(ingest.connections.length, 0);
    });

    it('in the handshake: hangs up at once', async () => {
      await listen({ stallAt: 'nothing' });
      const it = publish();
      const connection = await ingest.next();
      await connection.until(() => connection.hello.length > 0);
      it.destroy();
      await Promise.all([connection.closed, once(it, 'close')]);
      assert.equal(clock.pending, 0);
      assert.ok(!states.includes('publishing'));
    });

    it('with bytes in flight: closes, and does not report them as sent', async () => {
      await listen({ reads: 'never' });
      const it = publish();
      let sent = 0;
      for (let i = 0; i < 32; i++) it.write(batch(Buffer.alloc(2 ** 20), () => sent++));
      await untilState('publishing');
      await eventually(() => clock.pending > 0, 'a write that waits');
      const connection = await ingest.next();
      await connection.until(() => connection.c2.length > 0);
      it.destroy();
      await once(it, 'close');
      connection.resume();
      await connection.closed;
      assert.ok(sent < 32, `${sent} MB are gone`);
      assert.equal(clock.pending, 0);
    });
  });

  it('closes in order, though the server has said things that nobody read yet', async () => {
    await listen();
    const it = publish();
    const connection = await ingest.next();
    await untilState('publishing');
    for (let i = 0; i < 100; i++) connection.write(Buffer.alloc(1000));
    it.end(batch(Buffer.from('last words')));
    await connection.closed;
    assert.equal(connection.raw().toString(), 'last words');
  });
});

describe('RtmpPublisher over TLS', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let publisher: RtmpPublisher;

  const publish = (tls: Partial<TlsSettings>, host = 'ingest.example', clock = new FakeClock(), port = ingest.port) => {
    publisher = new RtmpPublisher({
      target: { host, port, tls: { verify: true, ca: undefined, name: undefined, ...tls } },
      header: undefined,
      timeout: TIMEOUT,
      clock,
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    return publisher;
  };
  const arrives = async (): Promise<void> => {
    publisher.end(batch('body'));
    const connection = await ingest.next();
    await connection.closed;
    assert.equal(connection.raw().toString(), 'body');
  };
  const refused = async (message: RegExp): Promise<void> => {
    const [error] = (await once(publisher, 'error')) as [PublishError];
    assert.equal(error.stage, 'handshake');
    assert.match(error.message, message);
  };
  const batch = (text: string) => ({ buffers: [Buffer.from(text)], bytes: text.length });

  beforeEach(async () => {
    ingest = await ScriptableIngest.start({ tls: serverTls, anyBytes: true });
  });
  afterEach(async () => {
    publisher.on('error', () => {});
    publisher.destroy();
    await ingest.close();
  });

  it('refuses a certificate that nobody trusted has signed', async () => {
    publish({});
    await refused(/unable to (verify the first certificate|get local issuer certificate)/);
  });

  it('takes it if its authority is trusted', async () => {
    publish({ ca });
    await arrives();
  });

  it('takes any if certificates are not to be verified', async () => {
    publish({ verify: false }, 'other.example');
    await arrives();
  });

  it('refuses one for another name', async () => {
    publish({ ca }, 'other.example');
    await refused(/does not match certificate's altnames/);
  });

  it('asks for another name and verifies it if the settings say so', async () => {
    publish({ ca, name: 'localhost' }, 'other.example');
    await arrives();
  });

  it('verifies an address as such', async () => {
    publish({ ca }, '127.0.0.1');
    await arrives();
  });

  it('gives up a server that does not speak TLS at all', async () => {
    const silent = net.createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as net.AddressInfo;
    const clock = new FakeClock();
    const accepted = once(silent, 'connection') as Promise<[net.Socket]>;
    publish({ verify: false }, 'ingest.example', clock, port);
    const failed = refused(/^could not connect: 127\.0\.0\.1 port \d+: no connection within 10000 ms$/);
    const [socket] = await accepted;
    socket.on('error', () => {});
    socket.resume();
    clock.advance(TIMEOUT);
    await failed;
    silent.close();
    await once(silent, 'close');
  });

  it('ends in a failure when the server hangs up', async () => {
    publish({ ca });
    const failed = once(publisher, 'error') as Promise<[PublishError]>;
    const connection = await ingest.next();
    await connection.until(() => connection.c2.length > 0);
    connection.end();
    const [{ stage }] = await failed;
    assert.equal(stage, 'recv');
  });
});
