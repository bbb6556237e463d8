import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FlvRecorder } from '../../lib/ingest/flv-recorder.js';
import { Ingest } from '../../lib/ingest/ingest.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const run = promisify(execFile);

/** Stream, dts, pts, size and hash of each packet, as FFmpeg's demuxer sees them. */
async function packets(file: string): Promise<string[]> {
  const entries = 'packet=stream_index,pts,dts,size,data_hash';
  const options = [
    '-v',
    'error',
    '-show_packets',
    '-show_data_hash',
    'md5',
    '-show_entries',
    entries,
    '-of',
    'csv=p=0',
  ];
  const { stdout } = await run('ffprobe', [...options, file], { maxBuffer: 2 ** 26 });
  return stdout.trim().split('\n');
}

async function ffmpeg(...args: string[]): Promise<void> {
  const child = spawn('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0, `ffmpeg ${args.join(' ')}`);
}

const SOURCE = ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440:r=44100'];

describe('FFmpeg at our ingest', () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'ingest-'))));
  after(() => rmSync(folder, { recursive: true }));

  for (const [name, codecs] of [
    ['H.264 with B-frames and AAC', ['-c:v', 'libx264', '-bf', '2', '-g', '25', '-c:a', 'aac']],
    ['H.264 and MP3', ['-c:v', 'libx264', '-bf', '0', '-c:a', 'libmp3lame']],
    ['audio only', ['-vn', '-c:a', 'aac']],
  ] as const) {
    it(`is recorded, packet for packet: ${name}`, async () => {
      const source = join(folder, 'source.flv');
      const record = join(folder, 'record.flv');
      await ffmpeg(...SOURCE, '-t', '3', ...codecs, source);
      const ingest = new Ingest();
      await ingest.listen(0);
      const recorded = new Promise<void>((resolve, reject) => {
        ingest.on('stream', (stream) => {
          new FlvRecorder(stream, record).once('close', resolve).once('error', reject);
        });
      });
      await ffmpeg('-i', source, '-c', 'copy', '-f', 'flv', `rtmp://127.0.0.1:${ingest.port}/live/x`);
      await recorded;
      await ingest.close();
      const expected = await packets(source);
      assert.ok(expected.length > 100);
      assert.deepEqual(await packets(record), expected);
    });
  }
});

describe('FFmpeg at the scriptable ingest', () => {
  for (const method of ['adobe', 'llnw'] as const) {
    it(`gets past its login (${method}), so that it asks what real servers ask`, async () => {
      const auth = { method, user: 'alice', password: 's3cret' };
      const ingest = await ScriptableIngest.start({ answers: true, auth });
      const url = `rtmp://alice:s3cret@127.0.0.1:${ingest.port}/live/x`;
      await ffmpeg(...SOURCE, '-t', '0.2', '-c:v', 'libx264', '-c:a', 'aac', '-f', 'flv', url);
      assert.deepEqual(
        ingest.connections.map((connection) => connection.commands('publish').length),
        [0, 0, 1],
      );
      await ingest.close();
    });
  }
});
