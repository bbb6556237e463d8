import { afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { ascii, concat, hex } from '../../support/values/bytes.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { Live } from '../../support/service/live.js';
import { parseAmf, type Amf, type ParsedMessage } from '../../support/rtmp/rtmp-parse.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** OpusHead of RFC 7845, 5.1: version 1, stereo, 312 samples of pre-skip, 48 kHz, no gain, family 0. */
const opusHead = concat(ascii('OpusHead'), hex('01 02 38 01 80 bb 00 00 00 00 00'));

const connectOf = (connection: IngestConnection): { [key: string]: Amf } => {
  const [, , object] = connection.commands('connect')[0] ?? [];
  return object as { [key: string]: Amf };
};

const bodies = (connection: IngestConnection, type: number): string[] =>
  connection.messages.filter((message) => message.type === type).map(({ payload }) => payload.toString('hex'));

const metadataOf = (connection: IngestConnection): Amf => {
  const message = connection.messages.find(({ type }) => type === 18);
  return message === undefined ? null : (parseAmf(message.payload)[2] ?? null);
};

describe('Enhanced RTMP', { timeout: 90_000 }, () => {
  let live: Live;

  afterEach(() => live.close());

  const carries =
    (payload: string) =>
    (message: ParsedMessage): boolean =>
      message.payload.includes(payload);

  async function audio(codecId: number, extraData: Buffer): Promise<IngestConnection> {
    live = await Live.start({ settings: { outWriteMetaTimeout: 0 } });
    const sender = await live.audio({}, { codecId, extraData });
    sender.send(frameAt(0, 'first'), frameAt(20, 'then'));
    const connection = await live.ingest.next();
    await connection.message(carries('then'));
    return connection;
  }

  // Bytes by hand (docs/protocol/enhanced-rtmp.md, Video messages): 90 | 91, FourCC, payload.
  it('carries Opus', async () => {
    const connection = await audio(1018, opusHead);
    assert.deepEqual(bodies(connection, 8), [
      `904f707573${opusHead.toString('hex')}`,
      `914f707573${ascii('first').toString('hex')}`,
      `914f707573${ascii('then').toString('hex')}`,
    ]);
    const announced = connectOf(connection);
    assert.deepEqual(announced['fourCcList'], ['Opus']);
    assert.deepEqual(announced['audioFourCcInfoMap'], { Opus: 2 });
    assert.equal(announced['videoFourCcInfoMap'], undefined);
    assert.equal(announced['capsEx'], 1);
    assert.equal((metadataOf(connection) as { [key: string]: Amf })['audiocodecid'], 1332770163);
  });

  it('carries Opus without a head', async () => {
    const connection = await audio(1018, Buffer.alloc(0));
    assert.deepEqual(bodies(connection, 8), [
      `914f707573${ascii('first').toString('hex')}`,
      `914f707573${ascii('then').toString('hex')}`,
    ]);
  });

  for (const [codecId, name, fourCc, number] of [
    [1016, 'AC-3', '61632d33', 0x61632d33],
    [1017, 'E-AC-3', '65632d33', 0x65632d33],
  ] as const) {
    it(`carries ${name}, which has no header`, async () => {
      const connection = await audio(codecId, Buffer.alloc(0));
      assert.deepEqual(bodies(connection, 8), [
        `91${fourCc}${ascii('first').toString('hex')}`,
        `91${fourCc}${ascii('then').toString('hex')}`,
      ]);
      const text = Buffer.from(fourCc, 'hex').toString();
      assert.deepEqual(connectOf(connection)['audioFourCcInfoMap'], { [text]: 2 });
      assert.equal((metadataOf(connection) as { [key: string]: Amf })['audiocodecid'], number);
    });
  }

  it('is announced for all tracks that are known before connect', async () => {
    // The first track alone is, when the upstream is made; after a break, all are.
    live = await Live.start({ settings: { outReconnects: 5, outReconnectInterval: 0 } });
    const video = await live.video({}, { codecId: 8, extraData: ascii('hvcC') });
    const first = await live.ingest.next();
    const sound = await live.audio({}, { codecId: 1018, extraData: opusHead });
    video.send(frameAt(0, 'key', { key: true, pts: 5 }), frameAt(40, 'inter', { pts: -5 }));
    sound.send(frameAt(0, 'sound'));
    await first.message(carries('inter'));
    await first.message(carries('sound'));
    assert.deepEqual(Object.keys(connectOf(first)), ['app', 'flashVer', 'swfUrl', 'tcUrl', 'pageUrl']);
    const [header, key, inter] = bodies(first, 9);
    assert.equal(header, `9068766331${ascii('hvcC').toString('hex')}`);
    assert.equal(key, `9168766331000005${ascii('key').toString('hex')}`);
    assert.equal(inter, `a168766331fffffb${ascii('inter').toString('hex')}`);
    first.reset();
    const second = await live.ingest.next();
    await second.command('publish');
    const announced = connectOf(second);
    assert.deepEqual(announced['fourCcList'], ['hvc1', 'Opus']);
    assert.deepEqual(announced['videoFourCcInfoMap'], { hvc1: 2 });
    assert.deepEqual(announced['audioFourCcInfoMap'], { Opus: 2 });
  });

  it('is not announced where no such codec is used', async () => {
    live = await Live.start({ settings: { outWriteMetaTimeout: 0 } });
    const sender = await live.audio();
    sender.send(frameAt(0, 'first'));
    const connection = await live.ingest.next();
    await connection.message(carries('first'));
    assert.deepEqual(Object.keys(connectOf(connection)), ['app', 'flashVer', 'swfUrl', 'tcUrl', 'pageUrl']);
  });

  for (const codecId of [1016, 1017, 1018]) {
    it(`is refused for codec ${codecId} where kmp_rtmp_out_enhanced is off`, async () => {
      live = await Live.start({ settings: { outEnhanced: 'off' } });
      const sender = await live.audio({}, { codecId });
      await sender.closed;
      assert.match(live.service.log.text, /needs Enhanced RTMP, which is off \(kmp_rtmp_out_enhanced\)/);
      assert.equal(live.service.registry.size, 0);
    });
  }

  it('is announced for every codec, and H.265 named by FourCC in the metadata, if it is on', async () => {
    live = await Live.start({ settings: { outEnhanced: 'on', outWriteMetaTimeout: 0 } });
    const sender = await live.video({}, { codecId: 8, extraData: ascii('hvcC') });
    sender.send(frameAt(0, 'key', { key: true }), frameAt(40, 'inter'));
    const connection = await live.ingest.next();
    await connection.message(carries('inter'));
    const announced = connectOf(connection);
    assert.deepEqual(announced['fourCcList'], ['hvc1', 'ac-3', 'ec-3', 'Opus']);
    assert.deepEqual(announced['videoFourCcInfoMap'], { hvc1: 2 });
    assert.deepEqual(announced['audioFourCcInfoMap'], { 'ac-3': 2, 'ec-3': 2, Opus: 2 });
    assert.equal(announced['capsEx'], 1);
    assert.equal((metadataOf(connection) as { [key: string]: Amf })['videocodecid'], 0x68766331);
    assert.deepEqual(bodies(connection, 9), [
      `9068766331${ascii('hvcC').toString('hex')}`,
      `9168766331000000${ascii('key').toString('hex')}`,
      `a168766331000000${ascii('inter').toString('hex')}`,
    ]);
  });

  it('H.264 is published in the classic form if it is on', async () => {
    live = await Live.start({ settings: { outEnhanced: 'on', outWriteMetaTimeout: 0 } });
    const sender = await live.video();
    sender.send(frameAt(0, 'key', { key: true }));
    const connection = await live.ingest.next();
    await connection.message(carries('key'));
    assert.deepEqual(connectOf(connection)['fourCcList'], ['hvc1', 'ac-3', 'ec-3', 'Opus']);
    assert.equal((metadataOf(connection) as { [key: string]: Amf })['videocodecid'], 7);
    assert.equal(bodies(connection, 9)[1], `1701000000${ascii('key').toString('hex')}`);
  });

  it('H.265 is published as before if kmp_rtmp_out_enhanced is off', async () => {
    live = await Live.start({ settings: { outEnhanced: 'off', outWriteMetaTimeout: 0 } });
    const sender = await live.video({}, { codecId: 8, extraData: ascii('hvcC') });
    sender.send(frameAt(0, 'key', { key: true }));
    const connection = await live.ingest.next();
    await connection.message(carries('key'));
    assert.equal(bodies(connection, 9)[0], `9068766331${ascii('hvcC').toString('hex')}`);
  });
});
