/**
 * The whole way with programs that no one here wrote at both ends: FFmpeg makes the media and judges the result,
 * Debian's nginx with its RTMP module takes and records it. In between `kmp-rtmp send` and `kmp-rtmp`, as a user runs
 * them.
 */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Folder, kmpRtmp, Run } from '../support/process/cli.js';
import { codecsOf, ffmpeg, packetsOf, type Packet } from '../support/programs/ffmpeg.js';
import { startNginx, type Nginx } from '../support/programs/nginx.js';

const picture = (size: string, rate: string): string[] => ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}`];
const tone = (hertz: number, rate = 44100): string[] => [
  '-f',
  'lavfi',
  '-i',
  `sine=frequency=${hertz}:sample_rate=${rate}`,
];
const x264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p'];
const aac = ['-c:a', 'aac', '-b:a', '96k'];
const mp3 = ['-c:a', 'libmp3lame', '-b:a', '96k'];

/** nginx answers every createStream with 1, so that more than one stream takes a connection for each. */
const config = (streamId: 'assume' | 'negotiate'): string => `
stream {
    server {
        listen 127.0.0.1:0;
        kmp_rtmp;
        kmp_rtmp_out_stream_id ${streamId};
    }
}
`;

interface SendOptions {
  /** Default: the service that assumes stream ids. */
  readonly to?: string;
  /** Default true. */
  readonly fast?: boolean;
  readonly args?: readonly string[];
}

describe('FFmpeg, through the service, to nginx', { concurrency: 4 }, () => {
  const folder = new Folder();
  let nginx: Nginx;
  let service: Run | undefined;
  let kmp = '';

  before(async () => {
    nginx = await startNginx();
    ({ service, kmp } = await serve('assume'));
  });

  after(async () => {
    if (service !== undefined) await stop(service);
    await nginx?.stop();
    folder.remove();
  });

  async function serve(streamId: 'assume' | 'negotiate'): Promise<{ service: Run; kmp: string }> {
    const run = new Run(['-c', folder.file(`${streamId}.conf`, config(streamId))]);
    const [, address = ''] = await run.says(/takes KMP on (127\.0\.0\.1:\d+)/);
    return { service: run, kmp: address };
  }

  async function stop(run: Run): Promise<void> {
    run.kill('SIGTERM');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
  }

  async function make(name: string, ...args: string[]): Promise<string> {
    const path = join(folder.path, name);
    await ffmpeg(...args, path);
    return path;
  }

  /** Sends files to an upstream of their own; gives what nginx has recorded of the streams `names`. */
  async function send(id: string, files: string[], names: string[], options: SendOptions = {}): Promise<string[]> {
    const url = `rtmp://127.0.0.1:${nginx.port}/live/${names[0] ?? ''}`;
    const to = ['--to', options.to ?? kmp, '--upstream-id', id, '--url', url];
    const { code, stdout, stderr } = await kmpRtmp([
      'send',
      ...files,
      ...to,
      ...(options.fast === false ? [] : ['--fast']),
      ...(options.args ?? []),
    ]);
    assert.equal(code, 0, stdout + stderr);
    return Promise.all(names.map((name) => nginx.recorded(name)));
  }

  for (const [what, name, args] of [
    [
      'H.264 with B-frames and AAC',
      'b.flv',
      [...picture('320x240', '25'), ...tone(440), '-t', '4', ...x264, '-bf', '3', '-g', '30', ...aac],
    ],
    [
      'H.264 with B-frames and AAC from an mp4',
      'b.mp4',
      [...picture('320x240', '30000/1001'), ...tone(440, 48000), '-t', '4', ...x264, '-bf', '2', ...aac],
    ],
    ['H.264 and MP3', 'mp3.flv', [...picture('320x240', '30'), ...tone(440), '-t', '4', ...x264, '-bf', '2', ...mp3]],
    ['MP3 alone', 'alone.flv', [...tone(440), '-t', '4', ...mp3]],
    ['AAC alone', 'alone-aac.flv', [...tone(440, 48000), '-t', '4', ...aac]],
    [
      'video alone, with frames of 100 KB and more',
      'big.mkv',
      [
        ...picture('1280x720', '25'),
        '-vf',
        'noise=alls=60:allf=t',
        '-t',
        '1',
        ...x264,
        '-crf',
        '34',
        '-bf',
        '2',
        '-g',
        '10',
      ],
    ],
  ] as const) {
    it(`records ${what}: every packet, unchanged, in order, at its time`, async () => {
      const source = await make(name, ...args);
      const stream = name.replace('.', '-');
      const [record = ''] = await send(stream, [source], [stream]);
      assert.deepEqual(await codecsOf(record), await codecsOf(source));
      assertSameMedia(await packetsOf(record), await packetsOf(source));
    });
  }

  it('records what is sent in real time', async () => {
    const source = await make(
      'live.flv',
      ...picture('320x240', '25'),
      ...tone(440),
      '-t',
      '4',
      ...x264,
      '-bf',
      '2',
      ...aac,
    );
    const began = performance.now();
    const [record = ''] = await send('live', [source], ['live-flv'], { fast: false });
    assert.ok(performance.now() - began > 3500, 'sent faster than it plays');
    assertSameMedia(await packetsOf(record), await packetsOf(source));
  });

  it('records two streams of one upstream', async () => {
    const high = await make(
      'high.flv',
      ...picture('640x360', '25'),
      ...tone(440),
      '-t',
      '3',
      ...x264,
      '-bf',
      '2',
      ...aac,
    );
    const low = await make('low.flv', ...picture('160x90', '25'), ...tone(880), '-t', '3', ...x264, '-bf', '1', ...mp3);
    const negotiating = await serve('negotiate');
    const args = ['--name', 'high', '--name', 'low'];
    const records = await send('two', [high, low], ['high', 'low'], { to: negotiating.kmp, args });
    await stop(negotiating.service);
    assertSameMedia(await packetsOf(records[0] ?? ''), await packetsOf(high));
    assertSameMedia(await packetsOf(records[1] ?? ''), await packetsOf(low));
  });

  it('tells what is wrong when nginx gives an id that was not assumed', async () => {
    const one = await make('one.flv', ...picture('160x90', '25'), '-t', '1', ...x264);
    const url = `rtmp://127.0.0.1:${nginx.port}/live/one`;
    const to = ['--to', kmp, '--upstream-id', 'contradicted', '--url', url, '--name', 'one', '--name', 'two'];
    const { code } = await kmpRtmp(['send', one, one, ...to, '--no-reconnect']);
    assert.equal(code, 1);
    await service?.says(/stream_id_mismatch.*kmp_rtmp_out_stream_id negotiate/);
  });
});

const track = (packets: readonly Packet[], type: string): Packet[] => packets.filter((packet) => packet.type === type);

/**
 * Each track of the record holds what that of the source does. nginx writes times from its first message on, so all may
 * differ by one and the same amount; 1 ms more where the source counts in other units than ms.
 */
function assertSameMedia(record: readonly Packet[], source: readonly Packet[]): void {
  assert.ok(source.length >= 25);
  const first = (packets: readonly Packet[]): number => Math.min(...packets.map(({ pts }) => pts));
  const shift = first(record) - first(source);
  for (const type of ['video', 'audio']) {
    const [got, expected] = [track(record, type), track(source, type)];
    const bare = ({ size, key, md5 }: Packet): object => ({ size, key, md5 });
    assert.deepEqual(got.map(bare), expected.map(bare), type);
    for (const [i, { dts, pts }] of expected.entries()) {
      const packet = got[i];
      assert.ok(packet);
      const off = [packet.pts - pts - shift, Number.isNaN(dts) ? 0 : packet.dts - dts - shift];
      const where = `${type} packet ${i}: pts and dts are ${off.join(' and ')} ms off`;
      assert.ok(
        off.every((ms) => Math.abs(ms) <= 1),
        where,
      );
    }
  }
  const times = record.map(({ dts }) => dts);
  const sorted = [...times].sort((a, b) => a - b);
  assert.deepEqual(times, sorted, 'tracks are not merged by time');
}
