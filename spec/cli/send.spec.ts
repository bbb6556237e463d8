import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ProgressView } from '../../lib/cli/send/send-progress.js';
import { speed, time } from '../../lib/cli/send/send-values.js';
import type { SendProgress } from '../../lib/send/sender.js';
import { Folder } from '../support/process/cli.js';
import { runCommand, type Ended } from '../support/process/command.js';
import { KmpPeer } from '../support/kmp/kmp-peer.js';

const FOLDER = join('spec', 'fixtures', 'media');
const FILE = join(FOLDER, 'h264-aac.mp4');
const send = (...args: string[]): Promise<Ended> => runCommand('send', ...args);

describe('kmp-rtmp send', () => {
  let peer: KmpPeer;
  beforeEach(async () => {
    peer = await KmpPeer.listen();
    peer.onConnection = (connection) => {
      connection.socket.on('data', () => {
        if (connection.frames.length > 0) connection.ack(connection.initialFrameId + BigInt(connection.frames.length));
      });
    };
  });
  afterEach(() => peer.close());

  const target = (): string[] => [
    ...['--to', `127.0.0.1:${peer.port}`, '--upstream-id', 'u1', '--url', 'rtmp://host/app/key'],
  ];

  it('sends the tracks of a file, prints a table, and ends with 0', async () => {
    const { code, out, err } = await send(FILE, ...target(), '--fast', '--opaque', 'mine');
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^Sending v1 H\.264, a1 AAC to 127\.0\.0\.1:\d+\n/);
    assert.match(out, /^v1 +H\.264 +50 +[\d.]+ kB +50 +0 +complete$/m);
    assert.match(out, /^a1 +AAC +88 +[\d.]+ kB +88 +0 +complete$/m);
    assert.deepEqual(
      peer.connections.map(({ frames }) => frames.length),
      [50, 88],
    );
    const data = JSON.parse(String(peer.connections[0]?.packets[0]?.data)) as Record<string, string>;
    assert.deepEqual(data, { upstream_id: 'u1', url: 'rtmp://host/app/key', opaque: 'mine' });
  });

  it('signs the connect data of each track, and again when it reconnects', async () => {
    const secret = '5b1d0e6f7a8c9d2e3f405162738495a6';
    const folder = new Folder();
    const file = folder.file('secret', `# comment\nstudio ${secret}\nother-${secret}\n`);
    peer.onConnection = (connection) => {
      const first = peer.connections.length <= 2;
      connection.socket.on('data', () => {
        if (first) connection.socket.destroy();
        else if (connection.frames.length > 0) {
          connection.ack(connection.initialFrameId + BigInt(connection.frames.length));
        }
      });
    };
    const now = Date.now() / 1000;
    const { code, err } = await send(FILE, ...target(), '--fast', '--secret-file', file, '-q');
    assert.equal(code, 0, err);
    assert.equal(peer.connections.length, 4);
    for (const connection of peer.connections.slice(2)) {
      const text = String(connection.packets[0]?.data);
      const [, signed = '', digest] = /^(.*),"signature":"([\da-f]{64})"\}$/.exec(text) ?? [];
      assert.equal(digest, createHmac('sha256', secret).update(signed).digest('hex'));
      const { expires, track_id, channel_id } = JSON.parse(text) as Record<string, unknown>;
      assert.ok(Number(expires) >= now + 299, String(expires));
      assert.deepEqual(
        [channel_id, track_id],
        [16, 48].map((at) => connection.packets[0]?.header.toString('latin1', at, at + 32).replace(/\0/g, '')),
      );
    }
    folder.remove();
  });

  it('renditions under their names, a start offset, a loop', async () => {
    const files = [FILE, join(FOLDER, 'h264-mp3.flv')];
    const names = ['--name', 'high', '--name', 'low'];
    const { code, out } = await send(
      ...files,
      ...target(),
      ...names,
      '--fast',
      '--start',
      '0:01.7',
      '--loop',
      '3',
      '-q',
    );
    assert.deepEqual([code, out], [0, '']);
    // Key frames are at 0, 0.8 and 1.6 s: ten frames are left, three times.
    const found = peer.connections.map(({ packets, frames }) => {
      const data = JSON.parse(String(packets[0]?.data)) as { name: string };
      return [data.name, packets[1]?.header.readUInt32LE(20), frames.length];
    });
    assert.deepEqual(
      found.filter(([, codec]) => codec === 7),
      [
        ['high', 7, 30],
        ['low', 7, 30],
      ],
    );
    assert.deepEqual(
      found.map(([name]) => name),
      ['high', 'high', 'low', 'low'],
    );
  });

  it('a frame that is not acknowledged by a server that acknowledges makes it end with 1', async () => {
    peer.onConnection = (connection) => {
      connection.socket.on('data', () => {
        // The end shows that the sender waits for the rest.
        if (connection.frames.length < 63) return;
        connection.ack(connection.initialFrameId + 3n);
        connection.socket.end();
      });
    };
    const { code, err } = await send(join(FOLDER, 'eac3.mkv'), ...target(), '--fast', '--no-reconnect');
    assert.equal(code, 1);
    assert.match(err, /the KMP server closed the connection.*63 frames were sent and 3 acknowledged/);
  });

  it('ends with 1 if nothing was acknowledged, and says how many frames that is', async () => {
    peer.onConnection = () => undefined;
    const args = [join(FOLDER, 'eac3.mkv'), ...target(), '--fast', '--ack-timeout', '100ms'];
    const { code, out, err } = await send(...args);
    assert.equal(code, 1);
    assert.match(out, /^a1 +E-AC-3 +63 .* none seen +0 +INCOMPLETE$/m);
    assert.match(err, /^kmp-rtmp: track a1: 63 of 63 frames were not acknowledged.*--no-acks/m);

    const trusting = await send(...args, '--no-acks');
    assert.deepEqual([trusting.code, trusting.err], [0, '']);
    assert.match(trusting.out, /^a1 +E-AC-3 +63 .* none seen +0 +complete$/m);
  });

  it('ends with 1 if a part was not acknowledged', async () => {
    peer.onConnection = (connection) => {
      connection.socket.on('data', () => {
        if (connection.frames.length >= 63) connection.ack(connection.initialFrameId + 60n);
      });
    };
    const { code, err } = await send(join(FOLDER, 'eac3.mkv'), ...target(), '--fast', '-q', '--ack-timeout', '100ms');
    assert.equal(code, 1);
    assert.match(err, /^kmp-rtmp: track a1: 3 of 63 frames were not acknowledged/m);
  });

  it('sends nothing of a file with a track that KMP does not carry, unless it is allowed to leave that out', async () => {
    const file = join(FOLDER, 'vp9-aac.mp4');
    const refused = await send(file, ...target(), '--fast');
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /^kmp-rtmp: .*vp9-aac\.mp4: the video track 1 cannot be sent: KMP does not carry vp9; nothing was sent; .*--allow-missing-tracks/m,
    );
    assert.equal(peer.connections.length, 0);

    const allowed = await send(file, ...target(), '--fast', '--allow-missing-tracks');
    assert.equal(allowed.code, 0);
    assert.match(allowed.err, /^kmp-rtmp: warning: .*the video track 1 cannot be sent: KMP does not carry vp9$/m);
    assert.match(allowed.out, /^a1 +AAC .*complete$/m);
  });

  it('says what is wrong with what it was given', async () => {
    const cases: [string[], RegExp][] = [
      [[join(FOLDER, 'none.mp4'), ...target()], /none\.mp4 cannot be opened/],
      [[FILE], /an upstream id and an RTMP URL are needed/],
      [[FILE, '--url', 'rtmp://h/a/s'], /--upstream-id is needed/],
      [[FILE, ...target(), '--to', 'nowhere'], /HOST:PORT/],
      [[FILE, ...target(), '--speed', '0'], /above 0/],
      [[FILE, ...target(), '--start', 'soon'], /must be a time/],
      [[FILE, ...target(), '--fats'], /Did you mean --fast/],
      [['--loop', FILE, ...target()], /'--loop \[times\]'.*Files must come before --loop/],
    ];
    for (const [args, expected] of cases) {
      const { code, err } = await send(...args);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, expected);
    }
    assert.equal(peer.connections.length, 0);
  });
});

describe('values of the command line', () => {
  it('times', () => {
    const rows: [string, number][] = [
      ...([
        ['90', 90_000],
        ['90s', 90_000],
        ['1m30s', 90_000],
        ['500ms', 500],
        ['1.5', 1500],
      ] as [string, number][]),
      ...([
        ['1:30', 90_000],
        ['0:01:30.25', 90_250],
        ['1:00:00', 3_600_000],
      ] as [string, number][]),
    ];
    for (const [text, ms] of rows) assert.equal(time(text), ms, text);
    for (const text of ['', '-1', '1:2:3:4', 'x', '1:300']) assert.throws(() => time(text), text);
  });

  it('speeds', () => {
    assert.deepEqual([speed('2'), speed('0.5'), speed('4x')], [2, 0.5, 4]);
    for (const text of ['0', '-1', 'fast', '1001', 'NaN']) assert.throws(() => speed(text), text);
  });
});

describe('progress', () => {
  const state = (elapsed: number): SendProgress => ({
    ...{ elapsed, media: elapsed, frames: elapsed / 40, bytes: elapsed * 125, acked: 10, reconnects: 0 },
  });

  it('a bar that is drawn over itself on a terminal', () => {
    let out = '';
    const view = new ProgressView({ isTTY: true, columns: 200, write: (text) => (out += text) }, 10_000);
    view.show(state(2500));
    assert.equal(out, '\r[######------------------] 25%  of 0:10  0:02  62.5 frames  1000 kbit/s  10 acked');
    out = '';
    view.clear();
    assert.match(out, /^\r +\r$/);
  });

  it('never wider than the terminal', () => {
    let out = '';
    const view = new ProgressView({ isTTY: true, columns: 30, write: (text) => (out += text) }, 10_000);
    view.show(state(2500));
    assert.equal(out.length, 30);
  });

  it('elsewhere a line every five seconds', () => {
    let out = '';
    const view = new ProgressView({ write: (text) => (out += text) }, undefined);
    for (let elapsed = 0; elapsed <= 12_000; elapsed += 1000) view.show(state(elapsed));
    assert.equal(out, '0:05  125 frames  1000 kbit/s  10 acked\n0:10  250 frames  1000 kbit/s  10 acked\n');
  });
});
