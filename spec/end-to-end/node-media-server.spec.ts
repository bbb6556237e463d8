import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { parseConfig, Service } from '../../lib/index.js';
import type { FlvTag } from '../support/flv-parse.js';
import { goldenFile, loadScenario, playScenario, type Scenario } from '../support/golden.js';
import { startNodeMediaServer, type NodeMediaServer } from '../support/node-media-server.js';
import { parseRtmp } from '../support/rtmp-parse.js';

/** As someone would write it, with the directives of the scenario. */
function configText({ directives }: Scenario): string {
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
      const service = new Service(parseConfig(configText(scenario)));
      await service.start();
      const [kmp] = service.kmpAddresses;
      const senders = await playScenario(scenario, kmp?.port ?? 0, server.ports.rtmp);
      // What the recorded server sent for the same input; commands and the like aside.
      const expected = parseRtmp(goldenFile(folder, 'expected.1.rtmp')).filter(({ type }) => [8, 9, 18].includes(type));
      await playback.until((tags) => tags.length >= expected.length);
      playback.stop();
      for (const sender of senders) sender.destroy();
      await service.stop();
      assert.deepEqual(playback.tags.map(line), expected.map(line));
    });
  }
});
