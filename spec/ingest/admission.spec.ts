import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Ingest, type IngestOptions, type IngestStream, type Refusal } from '../../lib/ingest/ingest.js';
import { hex, u32be } from '../support/values/bytes.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { LogLines } from '../support/service/log-lines.js';
import { RawPublisher } from '../support/rtmp/raw-publisher.js';
import type { Amf } from '../support/rtmp/rtmp-parse.js';
import { until } from '../support/time/until.js';
import { chunked } from '../support/ingest/script-bytes.js';

let ingest: Ingest | undefined;
afterEach(async () => ingest?.close());

async function start(options: IngestOptions = {}): Promise<Ingest> {
  ingest = new Ingest(options);
  await ingest.listen(0);
  return ingest;
}

const codeOf = (command: Amf[]): string => (command[3] as { code: string }).code;
const statuses = (publisher: RawPublisher): string[] =>
  publisher
    .commands()
    .filter(([name]) => name === 'onStatus')
    .map(codeOf);

/** Writes connect, createStream and publish at once, as an encoder that waits for no answer. */
function publishAtOnce(publisher: RawPublisher, name: string): void {
  publisher.command(0, 'connect', 1, { app: 'live', tcUrl: 'rtmp://x/live', flashVer: 'FMLE/3.0', pageUrl: 'p' });
  publisher.command(0, 'createStream', 2, null);
  publisher.command(1, 'publish', 3, null, name, 'live');
}

describe('Ingest: who may publish', () => {
  it('has what the publisher said in connect', async () => {
    const server = await start();
    const seen = once(server, 'stream') as Promise<[IngestStream]>;
    const publisher = await RawPublisher.greet(server.port);
    publishAtOnce(publisher, 'cam');
    const [stream] = await seen;
    assert.deepEqual(stream.connect, { flashVer: 'FMLE/3.0', tcUrl: 'rtmp://x/live', swfUrl: '', pageUrl: 'p' });
    assert.deepEqual([stream.publishType, stream.connection, stream.app], ['live', 1, 'live']);
  });

  it('waits for a decision that takes time, and handles what came meanwhile afterwards, in order', async () => {
    const decide: ((verdict: Refusal | undefined) => void)[] = [];
    const wait = () => new Promise<Refusal | undefined>((resolve) => decide.push(resolve));
    const server = await start({ refuseConnect: wait, refuse: wait });
    const payloads: string[] = [];
    server.on('stream', (stream) => stream.on('message', ({ payload }) => payloads.push(payload.toString('hex'))));
    const publisher = await RawPublisher.greet(server.port);
    publishAtOnce(publisher, 'cam');
    publisher.send({ type: 9, streamId: 1, payload: hex('1700000000') });
    publisher.send({ type: 9, streamId: 1, payload: hex('1701000000') });
    await eventually(() => decide.length === 1, 'the question about connect');
    assert.deepEqual(publisher.commands(), []);
    decide[0]?.(undefined);
    await eventually(() => decide.length === 2, 'the question about publish');
    assert.deepEqual(statuses(publisher), []);
    decide[1]?.(undefined);
    await eventually(() => payloads.length === 2, 'the media');
    assert.deepEqual(payloads, ['1700000000', '1701000000']);
    assert.deepEqual(statuses(publisher), ['NetStream.Publish.Start']);
    publisher.send({ type: 9, streamId: 1, payload: hex('2701000000') });
    await eventually(() => payloads.length === 3, 'what came later');
  });

  it('refuses a connect in the words that it was given, and a decision that fails ends the connection', async () => {
    const refusal = { code: 'NetConnection.Connect.Rejected', description: 'not from here' };
    const server = await start({ refuseConnect: () => refusal, closeRefused: true });
    const publisher = await RawPublisher.greet(server.port);
    publishAtOnce(publisher, 'cam');
    await publisher.closed();
    assert.deepEqual(publisher.commands(), [['_error', 1, null, { level: 'error', ...refusal }]]);

    await server.close();
    const broken = await start({ refuse: () => Promise.reject(new Error('no controller')) });
    const other = await RawPublisher.greet(broken.port);
    publishAtOnce(other, 'cam');
    await other.closed();
    assert.equal(broken.streams.length, 0);
  });

  it('closes the connection of a refused publisher after the answer, if it was asked to', async () => {
    const refusal = { code: 'NetStream.Publish.Denied', description: 'wrong key' };
    const server = await start({ refuse: () => Promise.resolve(refusal), closeRefused: true });
    const publisher = await RawPublisher.greet(server.port);
    publishAtOnce(publisher, 'cam');
    publisher.command(0, 'createStream', 4, null);
    await publisher.closed();
    assert.deepEqual(publisher.commands().at(-1)?.[3], { level: 'error', ...refusal });
    assert.deepEqual(statuses(publisher), ['NetStream.Publish.Denied']);
  });

  it('ends a refused connection that the other side never closes', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const refuse = (): Refusal => {
      asked++;
      return { code: 'NetStream.Publish.Denied', description: '' };
    };
    const server = await start({ refuse, closeRefused: true, clock, maxConnections: 1 });
    const publisher = await RawPublisher.greet(server.port);
    publisher.socket.pause();
    publishAtOnce(publisher, 'cam');
    await eventually(() => asked === 1, 'the question');
    clock.advance(2000);
    // Its place is free again.
    await until('a second connection', () => RawPublisher.greet(server.port), Boolean);
    publisher.socket.destroy();
  });

  it('publishes under another name, which FCUnpublish does not have to know', async () => {
    const server = await start({ refuse: ({ name }) => ({ name: name.replace(/\?.*/, '') }) });
    const publisher = await RawPublisher.publish(server.port, 'live', 'cam?key=secret');
    assert.deepEqual(
      server.streams.map(({ name }) => name),
      ['cam'],
    );
    publisher.command(0, 'FCUnpublish', 4, null, 'cam?key=secret');
    await eventually(() => server.streams.length === 0, 'the end of the stream');
  });

  it('ends a stream from its side with a reason that the publisher gets', async () => {
    const server = await start();
    const seen = once(server, 'stream') as Promise<[IngestStream]>;
    const publisher = await RawPublisher.publish(server.port, 'live', 'cam');
    const [stream] = await seen;
    const ended = once(stream, 'end');
    stream.refuse({ code: 'NetStream.Publish.Rejected', description: 'no route' });
    assert.deepEqual(await ended, ['refused']);
    await publisher.closed();
    assert.deepEqual(statuses(publisher), ['NetStream.Publish.Start', 'NetStream.Publish.Rejected']);
    assert.equal(server.streams.length, 0);
  });

  it('tells a player that nothing is played here', async () => {
    const server = await start();
    const player = await RawPublisher.greet(server.port);
    player.command(0, 'connect', 1, { app: 'live' });
    player.command(0, 'createStream', 2, null);
    player.command(1, 'play', 3, null, 'cam');
    assert.equal(codeOf(await player.heard('onStatus')), 'NetStream.Play.StreamNotFound');
  });

  it('lists the codecs that it takes by FourCC for publishers that speak Enhanced RTMP', async () => {
    const server = await start();
    const publisher = await RawPublisher.greet(server.port);
    publisher.command(0, 'connect', 1, { app: 'live', fourCcList: ['hvc1'] });
    const [, , , info] = await publisher.heard('_result');
    const { videoFourCcInfoMap, audioFourCcInfoMap } = info as Record<string, Record<string, number>>;
    assert.deepEqual(videoFourCcInfoMap, { avc1: 4, hvc1: 4 });
    assert.equal(audioFourCcInfoMap?.['Opus'], 4);
  });
});

describe('Ingest: connections that publish nothing', () => {
  /** All of it goes through; a connection that is closed meanwhile loses the rest. */
  function commands(publisher: RawPublisher, count: number): void {
    for (let n = 0; n < count; n++) publisher.command(0, '_checkbw', n + 10, null);
  }
  const connect = async (server: Ingest): Promise<RawPublisher> => {
    const publisher = await RawPublisher.greet(server.port);
    publisher.command(0, 'connect', 1, { app: 'live' });
    await publisher.heard('_result');
    return publisher;
  };

  it('are cut after thousands of commands', async () => {
    const log = new LogLines();
    const server = await start({ log });
    const stranger = await connect(server);
    commands(stranger, 5000);
    await stranger.closed();
    assert.match(log.text, /4096 commands, and nothing was published/);
  });

  it('may send as many while they publish, and some more after that', async () => {
    const server = await start();
    const publisher = await RawPublisher.publish(server.port, 'live', 'cam');
    commands(publisher, 5000);
    publisher.command(0, 'deleteStream', 3, null, 1);
    commands(publisher, 4000);
    publisher.command(0, 'createStream', 9, null);
    publisher.command(2, 'publish', 10, null, 'cam', 'live');
    await eventually(() => statuses(publisher).filter((one) => one.endsWith('Start')).length === 2, 'both');
  });

  it('are cut after the time limit, although they are not silent', async () => {
    const clock = new FakeClock();
    const log = new LogLines();
    const server = await start({ clock, log, timeout: 30_000 });
    const [publisher, stranger] = [await RawPublisher.publish(server.port, 'live', 'cam'), await connect(server)];
    for (let s = 0; s < 30; s += 10) {
      for (const one of [publisher, stranger]) {
        one.command(0, '_checkbw', s + 100, null);
        await eventually(() => one.commands().some(([, transaction]) => transaction === s + 100), 'the answer');
      }
      clock.advance(10_000);
    }
    await stranger.closed();
    assert.match(log.text, /nothing was published for 30000 ms/);
    assert.equal(server.streams.length, 1);
  });

  it('cannot fill the log', async () => {
    const clock = new FakeClock();
    const log = new LogLines();
    const server = await start({ clock, log });
    const bad = async (): Promise<void> => {
      const stranger = await RawPublisher.open(server.port);
      stranger.write(Buffer.alloc(1537, 0x47));
      await stranger.closed();
    };
    for (let n = 0; n < 30; n++) await bad();
    assert.equal(log.of('warn').length, 20);
    clock.advance(1000);
    await bad();
    assert.match(log.of('warn')[20]?.message ?? '', /\(10 such lines about this address were left out\)/);
  });
});

describe('Ingest: two publishers of one name', () => {
  it('refuses the second one while the first one sends, and lets it replace one that has become silent', async () => {
    const clock = new FakeClock();
    const server = await start({ clock, replaceAfter: 3000 });
    const ends: string[] = [];
    server.on('stream', (stream) => stream.on('end', (reason) => ends.push(reason)));
    const first = await RawPublisher.publish(server.port, 'live', 'cam');
    clock.advance(2999);
    const early = await RawPublisher.publish(server.port, 'live', 'cam');
    assert.deepEqual(statuses(early), ['NetStream.Publish.BadName']);
    clock.advance(1);
    const second = await RawPublisher.publish(server.port, 'live', 'cam');
    assert.deepEqual(statuses(second), ['NetStream.Publish.Start']);
    await first.closed();
    assert.deepEqual(ends, ['replaced']);
    assert.equal(server.streams.length, 1);
    // The end of the first one must not free the name of the second one.
    clock.advance(2000);
    const third = await RawPublisher.publish(server.port, 'live', 'cam');
    assert.deepEqual(statuses(third), ['NetStream.Publish.BadName']);
  });

  it('does not take a publisher for silent that it does not read itself', async () => {
    const clock = new FakeClock();
    const server = await start({ clock, replaceAfter: 3000, timeout: 60_000 });
    const seen = once(server, 'stream') as Promise<[IngestStream]>;
    await RawPublisher.publish(server.port, 'live', 'cam');
    const [stream] = await seen;
    stream.pause();
    clock.advance(10_000);
    const second = await RawPublisher.publish(server.port, 'live', 'cam');
    assert.deepEqual(statuses(second), ['NetStream.Publish.BadName']);
    stream.resume();
  });
});

describe('Ingest: memory of connections that publish nothing', () => {
  const bigMessage = (size: number) =>
    Buffer.concat([
      chunked({ type: 1, payload: u32be(0x7fffff) }, 128),
      chunked({ type: 9, streamId: 1, payload: Buffer.alloc(size) }, 0x7fffff),
    ]);

  it('cuts one that sends a huge message before anything is published', async () => {
    const server = await start();
    const stranger = await RawPublisher.greet(server.port);
    stranger.write(bigMessage(2 ** 20));
    await stranger.closed();
  });

  it('takes the same message of one that publishes, sent without waiting for the answer', async () => {
    const server = await start();
    const sizes: number[] = [];
    server.on('stream', (stream) => stream.on('message', ({ payload }) => sizes.push(payload.length)));
    const publisher = await RawPublisher.greet(server.port);
    publishAtOnce(publisher, 'cam');
    publisher.write(bigMessage(2 ** 20));
    await eventually(() => sizes.length === 1, 'the message');
    assert.deepEqual(sizes, [2 ** 20]);
  });
});
