import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slateFiles } from '../../../lib/upstream/slate/slate-files.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf, mediaOf } from '../../support/ingest/ingest-media.js';
import { frameAt } from '../../support/kmp/kmp-sender.js';
import { audioFrames, Live, videoFrames } from '../../support/service/live.js';
import type { IngestConnection } from '../../support/ingest/scriptable-ingest.js';

/** A tag by hand. */
function tag(type: 8 | 9, time: number, head: string, payload = ''): Buffer {
  const body = Buffer.concat([Buffer.from(head, 'hex'), Buffer.from(payload)]);
  const out = Buffer.alloc(11 + body.length + 4);
  out[0] = type;
  out.writeUIntBE(body.length, 1, 3);
  out.writeUIntBE(time, 4, 3);
  body.copy(out, 11);
  out.writeUInt32BE(11 + body.length, 11 + body.length);
  return out;
}
const HEADER = Buffer.from('464c5601050000000900000000', 'hex');
const AVCC = '0164001e';
const ASC = '1190';

/** 120 ms: three pictures, of which the first is a key frame, and three pieces of audio. */
const FLV = Buffer.concat([
  HEADER,
  tag(9, 0, `1700000000${AVCC}`),
  tag(8, 0, `af00${ASC}`),
  tag(9, 0, '1701000000', 'F0'),
  tag(8, 0, 'af01', 'S0'),
  tag(9, 40, '2701000000', 'F1'),
  tag(8, 40, 'af01', 'S1'),
  tag(9, 80, '2701000000', 'F2'),
  tag(8, 80, 'af01', 'S2'),
]);

describe('kmp_rtmp_out_slate FILE', { timeout: 90_000 }, () => {
  let folder = '';
  let clock: FakeClock;
  let live: Live;
  let connection: IngestConnection;

  async function fileOf(name: string, bytes: Buffer): Promise<string> {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    await slateFiles.load(path);
    return path;
  }
  /** Video at 0 to 280 ms and audio at 10 to 290 ms have gone out, and nothing comes any more. */
  async function start(outSlate: string): Promise<Awaited<ReturnType<Live['both']>>> {
    clock = new FakeClock();
    live = await Live.start({ clock, settings: { outLinger: 60_000, outSlate } });
    const senders = await live.both();
    connection = await live.ingest.next();
    senders.video.send(...videoFrames(0, 8));
    senders.audio.send(...audioFrames(0, 8));
    await connection.until(() => framesOf(connection).length === 16);
    await live.state('publishing');
    return senders;
  }
  const messages = (): unknown[][] =>
    mediaOf(connection).map(({ kind, ms, text }) => [kind, ms, kind === 'metadata' ? '' : text]);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-'));
  });
  after(() => rmSync(folder, { recursive: true }));
  afterEach(() => live.close());

  it('is played in a loop, with its own sequence headers, and the sender takes over with its own', async () => {
    const senders = await start(await fileOf('slate.flv', FLV));
    clock.advance(2000);
    await eventually(() => (live.status().streams['s']?.tracks.audio?.slate_frames ?? 0) > 3, 'the slate');
    // Its first frame follows when the last one of the sound has been played: 40 ms after 290.
    await connection.until(() => framesOf(connection).filter((name) => name === 'F0').length > 2);
    const at = mediaOf(connection).findIndex(({ text }) => text === 'F0');
    assert.deepEqual(
      messages()
        .slice(19, 19 + 13)
        .map((one) => one.slice(0, 3)),
      [
        ['metadata', 330, ''],
        ['video header', 330, Buffer.from(AVCC, 'hex').toString('latin1')],
        ['video', 330, 'F0'],
        ['metadata', 330, ''],
        ['audio header', 330, Buffer.from(ASC, 'hex').toString('latin1')],
        ['audio', 330, 'S0'],
        ['video', 370, 'F1'],
        ['audio', 370, 'S1'],
        ['video', 410, 'F2'],
        ['audio', 410, 'S2'],
        ['video', 450, 'F0'],
        ['audio', 450, 'S0'],
        ['video', 490, 'F1'],
      ],
    );
    assert.equal(at, 21);
    senders.audio.send(frameAt(2340, 'A0'));
    senders.video.send(frameAt(2310, 'V0', { key: true }), frameAt(2350, 'V1'));
    await connection.until(() => framesOf(connection).includes('V1'));
    const back = messages().slice(-8);
    const of = (kind: string): unknown[] => back.filter(([one]) => one === kind).map(([, , text]) => text);
    assert.deepEqual(of('video header'), ['avcC']);
    assert.deepEqual(of('audio header'), ['asc']);
    for (const kind of ['video', 'audio']) {
      const times = mediaOf(connection).flatMap((one) => (one.kind === kind ? [one.ms] : []));
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      );
    }
  });

  it('of another codec: the last picture is repeated, and the log says why', async () => {
    const h265 = Buffer.concat([
      HEADER,
      tag(9, 0, '9068766331', 'hvcC'),
      tag(9, 0, '9168766331000000', 'F0'),
      tag(9, 40, 'a368766331', 'F1'),
    ]);
    await start(await fileOf('h265.flv', h265));
    clock.advance(3000);
    await connection.until(() => framesOf(connection).filter((name) => name === 'v5').length > 2);
    assert.match(live.service.log.text, /warn the slate .*h265\.flv has no H\.264 video: the last picture is repeated/);
    assert.ok(!framesOf(connection).includes('F0'));
  });

  it('that could not be loaded: the last picture is repeated', async () => {
    await start(join(folder, 'missing.flv'));
    clock.advance(3000);
    await connection.until(() => framesOf(connection).filter((name) => name === 'v5').length > 2);
  });

  it('that cannot be played is refused, and the message says why', async () => {
    live = await Live.start();
    const cases: readonly (readonly [string, Buffer, RegExp])[] = [
      ['nothing.flv', HEADER, /no video or audio/],
      ['text.mp4', Buffer.from('hello, this is no film at all'), /text\.mp4 cannot be read/],
      [
        'one.flv',
        Buffer.concat([HEADER, tag(9, 0, `1700000000${AVCC}`), tag(9, 0, '1701000000', 'F')]),
        /fewer than two/,
      ],
    ];
    for (const [name, bytes, why] of cases) await assert.rejects(fileOf(name, bytes), why);
    await assert.rejects(slateFiles.load(join(folder, 'gone.mp4')), /gone\.mp4 cannot be opened/);
  });

  it('that is no regular file is not read: a pipe could have no writer, a device no end', async () => {
    live = await Live.start();
    const pipe = join(folder, 'pipe.flv');
    execFileSync('mkfifo', [pipe]);
    symlinkSync('/dev/zero', join(folder, 'zero.flv'));
    for (const path of [pipe, join(folder, 'zero.flv'), folder])
      await assert.rejects(slateFiles.load(path), /cannot be a slate: it is (a folder|not a regular file)/);
    writeFileSync(join(folder, 'large.mp4'), '');
    truncateSync(join(folder, 'large.mp4'), 200 * 2 ** 20);
    await assert.rejects(slateFiles.load(join(folder, 'large.mp4')), /large\.mp4 cannot be a slate: it has more than/);
  });

  it('is read again when it has changed', async () => {
    live = await Live.start();
    const path = await fileOf('changes.flv', FLV);
    const first = slateFiles.get(path);
    assert.equal(await slateFiles.load(path), first);
    writeFileSync(path, Buffer.concat([FLV, tag(9, 120, '2701000000', 'F3')]));
    assert.notEqual(await slateFiles.load(path), first);
    assert.equal(slateFiles.get(path)?.tracks.video?.frames.length, 4);
  });
});
