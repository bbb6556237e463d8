import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { openSource, parseConfig, planTracks, Sender, Service } from '../../lib/index.js';
import { flvFrames, type FlvFrame } from '../support/media/flv-frames.js';
import type { FlvTag } from '../support/media/flv-parse.js';
import { goldenFile, loadScenario, playScenario, type Scenario } from '../support/rtmp/golden.js';
import { startNodeMediaServer, type NodeMediaServer } from '../support/programs/node-media-server.js';
import { parseRtmp } from '../support/rtmp/rtmp-parse.js';

/** As someone would write it, with these directives beside. */
function configText(directives: Readonly<Record<string, string>>): string {
  const given = Object.entries({ kmp_rtmp_out_stream_id: 'negotiate', ...directives });
  return `
    worker_processes 1;
    events { }
    stream {
      server {
        listen 127.0.0.1:0;
        kmp_rtmp;
        ${given.map(([name, value]) => `${name} ${value};`).join('\n        ')}
      }
    }
  `;
}

const line = ({ type, timestamp, payload }: FlvTag): string =>
  `${type} @${timestamp} ${payload.length} ${payload.toString('base64')}`;

/** The same scenario, under a stream name of its own. */
function renamed(scenario: Scenario, name: string): Scenario {
  const connections = Object.fromEntries(
    Object.entries(scenario.connections).map(([key, connection]) => [
      key,
      { ...connection, data: { ...connection.data, name } },
    ]),
  );
  return { ...scenario, connections };
}

describe('node-media-server as ingest', { concurrency: true }, () => {
  let server: NodeMediaServer;

  before(async () => {
    server = await startNodeMediaServer();
  });
  after(() => server.stop());

  for (const [folder, what] of [
    ['av', 'H.264 with B-frames and AAC'],
    ['hevc', 'H.265'],
    ['mp3-only', 'MP3 alone'],
    ['video-only', 'video alone'],
  ] as const) {
    it(`gets ${what}: every payload, in order, at its time`, async () => {
      const name = `played-${folder}`;
      const scenario = renamed(loadScenario(folder), name);
      const playback = await server.play('app', name);
      const service = new Service(parseConfig(configText(scenario.directives)));
      await service.start();
      const [kmp] = service.kmpAddresses;
      const senders = await playScenario(scenario, kmp?.port ?? 0, server.ports.rtmp);
      // What the recorded server sent for the same input; without commands and control messages.
      const expected = parseRtmp(goldenFile(folder, 'expected.1.rtmp')).filter(({ type }) => [8, 9, 18].includes(type));
      await playback.until((tags) => tags.length >= expected.length);
      playback.stop();
      for (const sender of senders) sender.destroy();
      await service.stop();
      assert.deepEqual(playback.tags.map(line), expected.map(line));
    });
  }

  for (const [file, what] of [
    ['h264-aac.mp4', 'H.264 with B-frames and AAC'],
    ['h264-mp3.flv', 'H.264 and MP3'],
    ['hevc-opus.mkv', 'H.265 and Opus'],
    ['h264-ac3.mp4', 'H.264 and AC-3'],
    ['eac3.mkv', 'E-AC-3'],
    ['uneven.mp4', 'frames at uneven times'],
  ] as const) {
    it(`gets ${what} from a media file as ffprobe sees it`, async () => {
      const name = file.replace('.', '-');
      const playback = await server.play('app', name);
      const service = new Service(parseConfig(configText({ kmp_rtmp_out_write_meta_timeout: '300ms' })));
      await service.start();
      const [kmp] = service.kmpAddresses;
      const source = await openSource(`spec/fixtures/media/${file}`);
      const url = `rtmp://127.0.0.1:${server.ports.rtmp}/app/${name}`;
      const tracks = planTracks([source], { target: { upstreamId: 'u1', url } });
      const sender = new Sender({ host: '127.0.0.1', port: kmp?.port ?? 0, tracks, speed: Infinity });
      const report = await sender.run();
      await source.close();
      await service.stop();
      assert.equal(report.complete, true);

      const expected = JSON.parse(readFileSync(`spec/fixtures/media/${file}.json`, 'utf8')) as Probed;
      await playback.until((tags) => flvFrames(tags).length >= expected.packets.length);
      playback.stop();
      assertSameFrames(flvFrames(playback.tags), expected);
    });
  }
});

/** As spec/fixtures/media/expect.mjs writes it, from ffprobe; times in 1/90000 s. */
interface Probed {
  readonly streams: readonly { readonly index: number; readonly type: 'video' | 'audio' }[];
  readonly packets: readonly [
    stream: number,
    pts: number,
    dts: number | null,
    key: number,
    size: number,
    md5: string,
  ][];
}

/** Times may be off by one and the same amount in all tracks, and by the rounding to ms. */
function assertSameFrames(frames: readonly FlvFrame[], { streams, packets }: Probed): void {
  const shifts: number[] = [];
  for (const { index, type } of streams) {
    const got = frames.filter((frame) => frame.type === type);
    const expected = packets.filter(([stream]) => stream === index);
    assert.deepEqual(
      got.map(({ key, size, md5 }) => [key ? 1 : 0, size, md5]),
      expected.map(([, , , ...bare]) => bare),
      type,
    );
    for (const [i, [, pts, dts]] of expected.entries()) {
      shifts.push((got[i]?.pts ?? NaN) - pts / 90);
      if (dts !== null) shifts.push((got[i]?.dts ?? NaN) - dts / 90);
    }
  }
  const spread = Math.max(...shifts) - Math.min(...shifts);
  assert.ok(spread <= 2, `times differ by ${Math.min(...shifts)} to ${Math.max(...shifts)} ms`);
}
