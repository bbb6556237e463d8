import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ControlError } from '../../lib/relay/controller.js';
import { parsePublishKey } from '../../lib/relay/publish-keys.js';
import { Relay, type RelayOptions } from '../../lib/relay/relay.js';
import { hex, u32be } from '../support/values/bytes.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { freePort } from '../support/network/free-port.js';
import { KmpPeer, type PeerConnection } from '../support/kmp/kmp-peer.js';
import { LogLines } from '../support/service/log-lines.js';
import { RawPublisher } from '../support/rtmp/raw-publisher.js';
import { chunked } from '../support/ingest/script-bytes.js';
import { ScriptedController } from '../support/kmp/scripted-controller.js';

/** Sequence headers: an avcC of High profile, level 3.0, without parameter sets; AAC-LC, 44100 Hz, stereo. */
const AVC_CONFIG = hex('17 00 000000 0164001e ffe0 00');
const AAC_CONFIG = hex('af 00 1210');

let peers: KmpPeer[] = [];
let relays: Relay[] = [];
afterEach(async () => {
  for (const relay of relays) await relay.kill();
  for (const peer of peers) await peer.close();
  [peers, relays] = [[], []];
});

let clock: FakeClock;
let log: LogLines;
beforeEach(() => {
  clock = new FakeClock();
  log = new LogLines();
});

async function listen(): Promise<KmpPeer> {
  const peer = await KmpPeer.listen();
  peers.push(peer);
  return peer;
}

interface Started {
  readonly controller: ScriptedController;
  readonly port: number;
  readonly relay: Relay;
}

async function start(controller: ScriptedController, options: Partial<RelayOptions> = {}): Promise<Started> {
  const relay = new Relay({ controller, clock, log, endWait: 1000, ...options });
  relays.push(relay);
  return { controller, relay, port: await relay.listen(0) };
}

function video(publisher: RawPublisher, ms: number, name: string, key = false, cts = 0): void {
  const head = Buffer.of(key ? 0x17 : 0x27, 1, cts >> 16, (cts >> 8) & 255, cts & 255);
  publisher.send({ type: 9, streamId: 1, timestamp: ms, payload: Buffer.concat([head, Buffer.from(name)]) });
}

function audio(publisher: RawPublisher, ms: number, name: string): void {
  publisher.send({ type: 8, streamId: 1, timestamp: ms, payload: Buffer.concat([hex('af01'), Buffer.from(name)]) });
}

async function publish(port: number, name = 'cam', tracks: 'both' | 'video' = 'both'): Promise<RawPublisher> {
  const publisher = await RawPublisher.publish(port, 'live', name);
  publisher.send({ type: 9, streamId: 1, payload: AVC_CONFIG });
  if (tracks === 'both') publisher.send({ type: 8, streamId: 1, payload: AAC_CONFIG });
  return publisher;
}

const trackOf = (connection: PeerConnection): string => {
  const header = connection.packets[0]?.header;
  return header?.toString('latin1', 48, 80).replace(/\0+$/, '') ?? '';
};
const names = (connection: PeerConnection | undefined): string[] => connection?.frames.map(String) ?? [];

/** The n-th connection of a track, from 0. */
async function connectionOf(peer: KmpPeer, track: string, n = 0): Promise<PeerConnection> {
  const found = (): PeerConnection | undefined => peer.connections.filter((one) => trackOf(one) === track)[n];
  await eventually(() => found() !== undefined, `connection ${n} of ${track}`);
  return found() as PeerConnection;
}

async function brings(connection: PeerConnection, count: number): Promise<void> {
  await eventually(() => connection.frames.length >= count, `${count} frames`);
}

function lastStatus(publisher: RawPublisher): { code?: string; description?: string } {
  const statuses = publisher.commands().filter(([name]) => name === 'onStatus');
  return (statuses.at(-1)?.[3] ?? {}) as { code?: string; description?: string };
}

describe('Relay', () => {
  it('sends each track over KMP: connect packet, media info, frames with their times, end of stream', async () => {
    const peer = await listen();
    const { controller, port } = await start(new ScriptedController({ u1: peer.port }));
    const publisher = await publish(port, 'cam?x=1');
    video(publisher, 1000, 'v0', true, 80);
    audio(publisher, 1010, 'a0');
    video(publisher, 1040, 'v1', false, 40);
    const sent = await connectionOf(peer, 'v1');
    await brings(sent, 2);
    assert.deepEqual(JSON.parse(String(sent.packets[0]?.data)), { upstream_id: 'u1', url: 'rtmp://h/a/s' });
    assert.equal(sent.packets[0]?.header.toString('latin1', 16, 18), 'ch');
    const [minf, ...frames] = sent.packets.slice(1);
    assert.deepEqual([minf?.type, minf?.header.readUInt32LE(20), minf?.data], ['minf', 7, AVC_CONFIG.subarray(5)]);
    assert.deepEqual(
      frames.map(({ header, data }) => [
        Number(header.readBigInt64LE(24)),
        header.readUInt32LE(32),
        header.readInt32LE(36),
        String(data),
      ]),
      [
        [90_000, 1, 7200, 'v0'],
        [93_600, 0, 3600, 'v1'],
      ],
    );
    assert.equal(frames[0]?.header.readBigInt64LE(16), BigInt(clock.wall() * 90));
    const sound = await connectionOf(peer, 'a1');
    await brings(sound, 1);
    assert.equal(sound.packets[1]?.header.readUInt32LE(20), 1010);

    publisher.command(0, 'deleteStream', 5, null, 1);
    for (const one of [sent, sound]) {
      await one.saw('eost');
      one.ack(one.initialFrameId + BigInt(one.frames.length));
      one.socket.end();
    }
    await eventually(() => controller.asked.length === 5, 'unpublish');
    assert.deepEqual(controller.asked, [
      'connect live',
      ...['publish cam video', 'publish cam audio'],
      ...['unpublish cam video rtmp_close', 'unpublish cam audio rtmp_close'].sort(
        (a, b) => controller.asked.indexOf(a) - controller.asked.indexOf(b),
      ),
    ]);
    assert.deepEqual([controller.tracks[0]?.args, controller.tracks[0]?.input.address], ['x=1', '127.0.0.1']);
  });

  it('refuses a name that is published in another app: the controller could send both to one upstream', async () => {
    const peer = await listen();
    const keys = [parsePublishKey('cam:long-enough')];
    const { port, controller } = await start(new ScriptedController({ u1: peer.port }), { keys });
    await publish(port, 'cam?key=long-enough');
    await eventually(() => controller.asked.length === 3, 'the questions about both tracks');
    const other = await RawPublisher.publish(port, 'other', 'cam?key=long-enough');
    assert.equal(lastStatus(other).code, 'NetStream.Publish.BadName');
    await other.closed();
    assert.deepEqual(controller.asked.slice(3), ['connect other']);
    // The first one has been silent for so long that it may have lost its connection.
    clock.advance(3000);
    const third = await RawPublisher.publish(port, 'other', 'cam?key=long-enough');
    assert.equal(lastStatus(third).code, 'NetStream.Publish.Start');
  });

  it('logs twenty wrong keys of one address, and then one a second', async () => {
    const keys = [parsePublishKey('cam:long-enough')];
    const { port } = await start(new ScriptedController({}), { keys });
    const guess = async (n: number): Promise<void> => {
      const stranger = await RawPublisher.publish(port, 'live', `cam?key=guess${n}`);
      assert.equal(lastStatus(stranger).code, 'NetStream.Publish.Denied');
      await stranger.closed();
    };
    const lines = (): string[] => log.of('warn').map(({ message }) => message);
    for (let n = 0; n < 25; n++) await guess(n);
    assert.equal(lines().length, 20);
    clock.advance(1000);
    await guess(25);
    assert.deepEqual(lines().slice(20), [
      'publish refused: the key is missing or wrong (5 such lines about this address were left out)',
    ]);
  });

  it('takes over what onMetaData says of rates', async () => {
    const peer = await listen();
    const { controller, port } = await start(new ScriptedController({ u1: peer.port }));
    const publisher = await RawPublisher.publish(port, 'live', 'cam');
    const number = (name: string, value: number): Buffer => {
      const bytes = Buffer.alloc(9);
      bytes.writeDoubleBE(value, 1);
      return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), bytes]);
    };
    const fields = [number('framerate', 30), number('videodatarate', 2500), hex('000009')];
    const words = ['@setDataFrame', 'onMetaData'].map((word) =>
      Buffer.concat([Buffer.of(2, 0, word.length), Buffer.from(word)]),
    );
    const metadata = Buffer.concat([...words, hex('08 00000002'), ...fields]);
    publisher.send({ type: 18, streamId: 1, payload: metadata });
    publisher.send({ type: 9, streamId: 1, payload: AVC_CONFIG });
    await eventually(() => controller.tracks.length === 1, 'publish');
    const [track] = controller.tracks;
    const info = track?.info;
    assert.ok(info?.mediaType === 'video');
    assert.deepEqual([info.bitrate, info.frameRateNum / info.frameRateDenom], [2_500_000, 30]);
  });

  it('continues behind a broken connection at the key frame before the first unacknowledged frame', async () => {
    const [first, second] = [await listen(), await listen()];
    const { controller, port } = await start(new ScriptedController({ u1: first.port }));
    const publisher = await publish(port, 'cam', 'video');
    for (let n = 0; n < 8; n++) video(publisher, n * 40, `v${n}`, n % 4 === 0);
    const before = await connectionOf(first, 'v1');
    await brings(before, 8);
    before.ack(before.initialFrameId + 6n);
    // The acknowledgement is known when something sent behind it has an effect.
    controller.onRepublish = () => Promise.resolve({ host: '127.0.0.1', port: second.port });
    before.socket.end();
    await eventually(() => log.text.includes('reconnecting'), 'the break');
    video(publisher, 320, 'v8', true);
    await eventually(() => clock.untilNext <= 200, 'the wait before the next attempt');
    clock.advance(200);
    const after = await connectionOf(second, 'v1');
    await brings(after, 5);
    assert.deepEqual(names(after), ['v4', 'v5', 'v6', 'v7', 'v8']);
    assert.equal(after.initialFrameId, before.initialFrameId + 4n);
    assert.equal(String(after.packets[0]?.data), String(before.packets[0]?.data));
    assert.ok(controller.asked.includes('republish cam video u1'));
    assert.equal(publisher.isClosed, false);
  });

  it('keeps timestamps going where 32 bits end', async () => {
    const peer = await listen();
    const { port } = await start(new ScriptedController({ u1: peer.port }));
    const publisher = await publish(port, 'cam', 'video');
    video(publisher, 0xffff_fff0, 'v0', true);
    video(publisher, 0x18, 'v1');
    const connection = await connectionOf(peer, 'v1');
    await brings(connection, 2);
    const times = connection.packets
      .filter(({ type }) => type === 'fram')
      .map(({ header }) => header.readBigInt64LE(24));
    assert.deepEqual(times, [0xffff_fff0n * 90n, (0xffff_fff0n + 40n) * 90n]);
  });

  it('continues the timestamps of an encoder that returns by the time that has passed, for two minutes', async () => {
    const peer = await listen();
    const { port, relay } = await start(new ScriptedController({ u1: peer.port }));
    const times = async (n: number, count: number): Promise<bigint[]> => {
      const connection = await connectionOf(peer, 'v1', n);
      await brings(connection, count);
      const frames = connection.packets.filter(({ type }) => type === 'fram');
      return frames.map(({ header }) => header.readBigInt64LE(24) / 90n);
    };
    const session = async (n: number): Promise<bigint[]> => {
      const publisher = await publish(port, 'cam', 'video');
      video(publisher, 0, 'v0', true);
      video(publisher, 40, 'v1');
      const found = await times(n, 2);
      publisher.socket.destroy();
      await eventually(() => relay.streams.length === 0, 'the end of the stream');
      return found;
    };
    assert.deepEqual(await session(0), [0n, 40n]);
    clock.advance(5000);
    assert.deepEqual(await session(1), [5040n, 5080n]);
    clock.advance(120_001);
    assert.deepEqual(await session(2), [0n, 40n]);
  });

  it('announces changed codec data before the frames that need it, and skips a repeated sequence header', async () => {
    const peer = await listen();
    const { port } = await start(new ScriptedController({ u1: peer.port }));
    const publisher = await publish(port, 'cam', 'video');
    video(publisher, 0, 'v0', true);
    publisher.send({ type: 9, streamId: 1, payload: AVC_CONFIG });
    video(publisher, 40, 'v1');
    publisher.send({ type: 9, streamId: 1, payload: hex('17 00 000000 0164001f ffe0 00') });
    video(publisher, 80, 'v2', true);
    const connection = await connectionOf(peer, 'v1');
    await brings(connection, 3);
    assert.deepEqual(
      connection.packets.map(({ type }) => type),
      ['cnct', 'minf', 'fram', 'fram', 'minf', 'fram'],
    );
  });

  it('tells the encoder why it is refused: by the controller', async () => {
    const controller = new ScriptedController({});
    const { port } = await start(controller);
    controller.onPublish = () =>
      Promise.reject(new ControlError('control_refused', 'the controller refuses: no such route'));
    const publisher = await publish(port);
    await publisher.closed();
    assert.deepEqual(lastStatus(publisher), {
      ...{ level: 'error', code: 'NetStream.Publish.Rejected' },
      description: 'the controller refuses: no such route',
    });

    controller.refuseConnect = new ControlError('control_refused', 'the controller refuses: not you');
    const other = await RawPublisher.greet(port);
    other.command(0, 'connect', 1, { app: 'live' });
    await other.closed();
    assert.equal((other.commands()[0]?.[3] as { description: string }).description, 'the controller refuses: not you');
  });

  it('tells the encoder why it is refused: a codec that KMP does not carry', async () => {
    const peer = await listen();
    const { port } = await start(new ScriptedController({ u1: peer.port }));
    const publisher = await RawPublisher.publish(port, 'live', 'cam');
    publisher.send({ type: 9, streamId: 1, payload: Buffer.concat([hex('90'), Buffer.from('av01'), hex('0a0b')]) });
    await publisher.closed();
    assert.match(lastStatus(publisher).description ?? '', /video codec av01 cannot be passed on: KMP carries H\.264/);
  });

  it('has one stream if it has one name, whatever app and name its publishers use', async () => {
    const peer = await listen();
    const { port, relay } = await start(new ScriptedController({ u1: peer.port }), { name: 'live' });
    await RawPublisher.publish(port, 'one', 'a');
    const second = await RawPublisher.publish(port, 'two', 'b');
    await second.closed();
    assert.equal(lastStatus(second).code, 'NetStream.Publish.BadName');
    assert.deepEqual(
      relay.streams.map(({ app, name }) => [app, name]),
      [['live', 'live']],
    );
  });

  it('accepts only publishers with a key, and never shows the key', async () => {
    const peer = await listen();
    const keys = [parsePublishKey('studio:s3cret-key')];
    const { port, controller } = await start(new ScriptedController({ u1: peer.port }), { keys });
    const stranger = await RawPublisher.publish(port, 'live', 'studio?key=wrong-key');
    await stranger.closed();
    assert.equal(lastStatus(stranger).code, 'NetStream.Publish.Denied');
    const publisher = await publish(port, 's3cret-key', 'video');
    video(publisher, 0, 'v0', true);
    await brings(await connectionOf(peer, 'v1'), 1);
    assert.equal(controller.tracks[0]?.name, 'studio');
    assert.doesNotMatch(log.text, /s3cret-key|wrong-key/);
  });
});

describe('Relay: a name that may be a key', () => {
  it('is masked in the log, whatever happens to the stream', async () => {
    const peer = await listen();
    const controller = new ScriptedController({ u1: peer.port });
    const { port, relay } = await start(controller);
    const av1 = Buffer.concat([hex('90'), Buffer.from('av01'), hex('0a0b')]);
    const publisher = await publish(port, 'live_8472_SeCrEtKeY?token=hunter22', 'video');
    video(publisher, 0, 'v0', true);
    await brings(await connectionOf(peer, 'v1'), 1);
    publisher.send({ type: 9, streamId: 1, payload: av1 });
    await publisher.closed();
    await eventually(() => relay.streams.length === 0, 'the end of the stream');

    controller.onRepublish = () => Promise.reject(new ControlError('control_refused', 'the controller refuses: gone'));
    const second = await publish(port, 'live_8472_SeCrEtKeY', 'video');
    video(second, 0, 'v0', true);
    (await connectionOf(peer, 'v1', 1)).socket.destroy();
    await eventually(() => {
      if (!second.isClosed) clock.advance(100);
      return second.isClosed;
    }, 'the end of the upstream');
    await eventually(() => relay.streams.length === 0, 'the end of the stream');
    for (const part of ['is published', 'goes to 1 upstream', 'is disconnected', 'has ended:'])
      assert.ok(log.text.includes(`"liv***" ${part}`), part);
    assert.match(log.text, /an upstream of "liv\*\*\*" has ended/);
    assert.doesNotMatch(log.text, /SeCrEtKeY|hunter22/);
    assert.equal(controller.tracks[0]?.name, 'live_8472_SeCrEtKeY');
  });

  it('is masked in the id of an upstream, too', async () => {
    const id = 'live_8472_SeCrEtKeY-192.0.2.1-0a1b2c3d';
    const { port } = await start(new ScriptedController({ [id]: await freePort() }, false), { maxHeld: 100_000 });
    const publisher = await publish(port, 'live_8472_SeCrEtKeY', 'video');
    for (let n = 0; n < 100; n++) video(publisher, n * 40, 'x'.repeat(2000), true);
    await eventually(() => log.text.includes('frames are left out'), 'the end of the room');
    assert.match(log.text, /upstream liv\*\*\*-192\.0\.2\.1-0a1b2c3d \(video\)/);
    assert.doesNotMatch(log.text, /SeCrEtKeY/);
  });
});

describe('Relay: a track that ends while the controller is asked', () => {
  it('is unpublished if the answer allows it', async () => {
    const controller = new ScriptedController({ u1: 9 });
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    controller.onPublish = async () => {
      await answered;
      return { channelId: 'ch', trackId: 'v1', upstreams: [] };
    };
    const { port, relay } = await start(controller);
    const publisher = await publish(port, 'cam', 'video');
    video(publisher, 0, 'v0', true);
    await eventually(() => controller.tracks.length === 1, 'the question');
    publisher.socket.destroy();
    await eventually(() => relay.streams.length === 0, 'the end of the stream');
    assert.ok(!controller.asked.some((what) => what.startsWith('unpublish')));
    answer();
    await eventually(() => controller.asked.at(-1) === 'unpublish cam video rtmp_close', 'unpublish');
    await relay.close();
  });
});

describe('Relay: new keys', () => {
  it('hold for the next publisher, and leave those alone that publish', async () => {
    const peer = await listen();
    const { port, relay } = await start(new ScriptedController({ u1: peer.port }), {
      keys: [parsePublishKey('the-old-key')],
    });
    const publisher = await RawPublisher.publish(port, 'live', 'cam?key=the-old-key');
    relay.reload({ keys: [parsePublishKey('the-new-key')] });
    const late = await RawPublisher.publish(port, 'live', 'two?key=the-old-key');
    await late.closed();
    await RawPublisher.publish(port, 'live', 'two?key=the-new-key');
    assert.equal(relay.streams.length, 2);
    assert.equal(publisher.isClosed, false);
  });
});

describe('Relay: upstreams that fail', () => {
  /** Moves the clock from timer to timer until `holds`. */
  async function passTime(holds: () => boolean, what: string): Promise<void> {
    await eventually(() => {
      if (!holds()) clock.advance(100);
      return holds();
    }, what);
  }

  it('disconnects the encoder when a required upstream cannot be reached for long', async () => {
    const { port } = await start(new ScriptedController({ u1: await freePort() }), { retryFor: 10_000, timeout: 1e9 });
    const publisher = await publish(port, 'cam', 'video');
    let ms = 0;
    await passTime(() => {
      video(publisher, (ms += 40), 'v', true);
      return publisher.isClosed;
    }, 'the end of the encoder');
    assert.equal(lastStatus(publisher).code, 'NetStream.Failed');
    assert.match(lastStatus(publisher).description ?? '', /could not be reached again in time \(.*ECONNREFUSED/);
  });

  it('an upstream that is not required takes nothing along, and is tried again for as long as it takes', async () => {
    const good = await listen();
    const dead = await freePort();
    const controller = new ScriptedController({ good: good.port, dead }, false);
    const { port } = await start(controller, { retryFor: 10_000, maxHeld: 50_000, timeout: 1e9 });
    const publisher = await publish(port, 'cam', 'video');
    const connection = await connectionOf(good, 'v1');
    let sent = 0;
    const more = (): void => {
      video(publisher, sent * 40, `${sent}`.padEnd(1000, '.'), sent % 10 === 0);
      sent++;
    };
    // Ten times the retry time, and twice the memory.
    const until = clock.now() + 100_000;
    await passTime(() => {
      if (sent < 100) more();
      return clock.now() >= until && connection.frames.length === 100;
    }, 'all frames at the good upstream');
    const late = await KmpPeer.listen(dead);
    peers.push(late);
    await passTime(() => late.connections.length > 0, 'the upstream that is there at last');
    while (sent % 10 !== 0) more();
    const resumed = await connectionOf(late, 'v1');
    const before = resumed.frames.length;
    for (let n = 0; n < 10; n++) more();
    await brings(connection, sent);
    await eventually(() => resumed.frames.length > before, 'new frames');
    assert.equal(publisher.isClosed, false);
    assert.ok(log.text.includes('frames are left out'), 'says what it left out');
  });

  it('lets the encoder wait when a required upstream takes nothing, and goes on behind it', async () => {
    const dead = await freePort();
    const { port, relay } = await start(new ScriptedController({ u1: dead }), { maxHeld: 100_000, timeout: 1e9 });
    const publisher = await publish(port, 'cam', 'video');
    publisher.send({ type: 1, payload: u32be(0x100000) });
    const payload = Buffer.concat([hex('17 01 000000'), Buffer.alloc(0x10000)]);
    const message = chunked({ type: 9, streamId: 1, payload }, 0x100000);
    // 32 MB do not fit into the sockets of the loopback interface.
    for (let n = 0; n < 500; n++) publisher.write(message);
    await eventually(() => log.text.includes('reconnecting'), 'the first attempt');
    await RawPublisher.publish(port, 'live', 'other');
    assert.ok(publisher.socket.writableLength > 0, 'the relay has read everything');
    const peer = await KmpPeer.listen(dead);
    peers.push(peer);
    await passTime(() => peer.connections.length > 0, 'a connection');
    const connection = await connectionOf(peer, 'v1');
    await brings(connection, 500);
    assert.equal(connection.frames.length, 500);
    assert.equal(relay.streams.length, 2);
  });

  it('disconnects the encoder if the service takes nothing for a minute', async () => {
    const { port } = await start(new ScriptedController({ u1: await freePort() }), {
      ...{ maxHeld: 100_000, timeout: 1e9, retryFor: 1e9 },
    });
    const publisher = await publish(port, 'cam', 'video');
    for (let n = 0; n < 5; n++) video(publisher, n * 40, 'x'.repeat(40_000), true);
    await eventually(() => log.text.includes('reconnecting'), 'the first attempt');
    await passTime(() => publisher.isClosed, 'the end of the encoder');
    assert.match(lastStatus(publisher).description ?? '', /the service has taken nothing for 60 s/);
  });

  for (const [what, asks] of [
    ['before the controller has answered', true],
    ['while an upstream cannot be reached', false],
  ] as const) {
    it(`counts what a frame takes beside its bytes: ${what}`, async () => {
      const controller = new ScriptedController({ u1: await freePort() });
      if (asks) controller.onPublish = () => new Promise(() => undefined);
      const { port } = await start(controller, { maxHeld: 100_000, timeout: 1e9, retryFor: 1e9 });
      const publisher = await publish(port, 'cam', 'video');
      for (let n = 0; n < 1000; n++) video(publisher, n * 40, 'x', true);
      await passTime(() => publisher.isClosed, 'the end of the encoder');
      assert.match(lastStatus(publisher).description ?? '', /the service has taken nothing for 60 s/);
    });
  }

  it('does not wait for acknowledgements: frames that were written are forgotten at the limit', async () => {
    const peer = await listen();
    const { port } = await start(new ScriptedController({ u1: peer.port }), { maxHeld: 100_000 });
    const publisher = await publish(port, 'cam', 'video');
    for (let n = 0; n < 20; n++) video(publisher, n * 40, 'x'.repeat(40_000), n === 0);
    const connection = await connectionOf(peer, 'v1');
    await brings(connection, 20);
    assert.equal(connection.frames.length, 20);
  });

  it('ends an upstream that the controller refuses five times', async () => {
    const peer = await listen();
    const controller = new ScriptedController({ u1: peer.port });
    const { port } = await start(controller);
    controller.onRepublish = () => Promise.reject(new ControlError('control_refused', 'the controller refuses: gone'));
    const publisher = await publish(port, 'cam', 'video');
    video(publisher, 0, 'v0', true);
    const connection = await connectionOf(peer, 'v1');
    connection.socket.destroy();
    await passTime(() => publisher.isClosed, 'the end of the encoder');
    assert.equal(controller.asked.filter((what) => what.startsWith('republish')).length, 5);
    assert.match(lastStatus(publisher).description ?? '', /the controller refuses: gone/);
  });
});
