import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { nullPacket } from '../../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp } from '../../support/service/kmp-service.js';
import { ScriptableIngest, type IngestConnection, type Script } from '../../support/ingest/scriptable-ingest.js';
import { turns } from '../../support/time/turns.js';

/** A frame that no other frame is like: its number, then bytes that follow from it. */
function payload(n: number): Buffer {
  const bytes = Buffer.alloc(1 + ((n * 7919) % (n % 10 === 0 ? 60_000 : 6000)));
  for (let i = 0; i < bytes.length; i++) bytes[i] = (n * 31 + i * (n % 251) + (i >> 7)) & 255;
  return bytes;
}

/** Frames every 10 ms, until long after sockets are read in intervals, into memory that is used again. */
async function play(
  settings: Partial<MediaSettings>,
  script: Script,
  during?: (n: number, ingest: ScriptableIngest) => void,
): Promise<{ connections: IngestConnection[]; frames: number; sent: Buffer }> {
  const ingest = await ScriptableIngest.start(script);
  const service = await startKmp({
    ...{
      inAck: 'frame',
      inReadInterval: 40,
      outMinProcessDelay: 60,
      outFlushTimeout: 20,
      outWriteMetaTimeout: 0,
      outOnfiPeriod: 0,
    },
    ...settings,
  });
  const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
  const sender = await KmpSender.open(service.port, { upstream_id: 'u1', url });
  const packets = [videoMinf()];
  sender.send(...packets);
  const frames = 450;
  const began = performance.now();
  for (let n = 0; n < frames; n++) {
    const wait = began + n * 10 - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const packet = frameAt(n * 10, payload(n), { key: n % 25 === 0 });
    packets.push(packet);
    sender.send(packet);
    during?.(n, ingest);
  }
  await sender.acked(BigInt(frames));
  sender.end();
  await service.ended();
  for (const connection of ingest.connections) await connection.closed;
  await service.close();
  await ingest.close();
  return { connections: ingest.connections, frames, sent: Buffer.concat(packets) };
}

/** The H.264 payloads of a connection. */
const received = (connection: IngestConnection): Buffer[] =>
  connection.messages
    .filter(({ type, payload }) => type === 9 && payload[1] === 1)
    .map((message) => message.payload.subarray(5));

function assertFrames(actual: Buffer[], from: number, to: number): void {
  assert.equal(actual.length, to - from);
  actual.forEach((bytes, i) => assert.ok(bytes.equals(payload(from + i)), `frame ${from + i} is damaged`));
}

/** The timestamps of all frames of a connection. */
const timesOf = (connection: IngestConnection): number[] =>
  connection.messages
    .filter(({ type, payload }) => (type === 9 || type === 8) && payload[1] === 1)
    .map(({ timestamp }) => timestamp);

/** Bytes that the kernel holds for the connection from port `from`, unread; Infinity if it does not say. */
function unreadBytes(port: number, from = 0): number {
  const table = '/proc/net/tcp';
  if (!existsSync(table)) return Infinity;
  const [own, other] = [port, from].map((one) => one.toString(16).toUpperCase().padStart(4, '0'));
  const row = new RegExp(`0100007F:${own} 0100007F:${other} \\w\\w \\w{8}:(\\w{8})`);
  return parseInt(row.exec(readFileSync(table, 'latin1'))?.[1] ?? '0', 16);
}

describe('sockets that are read in intervals', { timeout: 90_000, concurrency: true }, () => {
  it('bring every frame as it was, in order', async () => {
    const { connections, frames } = await play({}, {});
    assertFrames(connections.flatMap(received), 0, frames);
  });

  it('do so in small chunks, and to a server that is slow', async () => {
    const { connections, frames } = await play({ outChunkSize: 128 }, { reads: 12_000 });
    assertFrames(connections.flatMap(received), 0, frames);
  });

  it('do so over a connection that breaks and is opened again', async () => {
    const settings = { outReconnects: 10, outReconnectInterval: 100, outResend: 500 };
    const { connections, frames } = await play(settings, { answers: true }, (n, ingest) => {
      if (n === 300) ingest.connections.at(-1)?.reset();
    });
    assert.equal(connections.length, 2);
    const [first, second] = connections.map(received);
    assert.ok(first !== undefined && second !== undefined);
    assertFrames(first, 0, first.length);
    const from = frames - second.length;
    assert.ok(from % 25 === 0 && from <= first.length, `goes on at ${from} after ${first.length}`);
    assertFrames(second, from, frames);
  });

  it('do so if a sender pauses within a frame, and says nothing else for a while', async () => {
    const ingest = await ScriptableIngest.start({ answers: true });
    const service = await startKmp({
      ...{
        inAck: 'frame',
        inReadInterval: 20,
        outMinProcessDelay: 1000,
        outMaxProcessDelay: 1000,
        outWriteMetaTimeout: 0,
      },
      ...{ outFlushTimeout: 20, outOnfiPeriod: 0 },
    });
    const sender = await KmpSender.open(service.port, {
      upstream_id: 'u1',
      url: `rtmp://127.0.0.1:${ingest.port}/app/s`,
    });
    sender.send(videoMinf());
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const idle = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        sender.send(nullPacket);
        await pause(1);
      }
    };
    let n = 0;
    for (; n < 40; n += 2) {
      await idle();
      const [begun, next] = [n, n + 1].map((number) => frameAt(number * 40, payload(number), { key: true }));
      assert.ok(begun !== undefined && next !== undefined);
      sender.send(begun.subarray(0, begun.length / 2));
      // Long enough for the socket to be left to Node, which then brings the rest.
      await pause(60);
      sender.send(begun.subarray(begun.length / 2));
      await idle();
      sender.send(next);
    }
    await sender.acked(BigInt(n));
    sender.end();
    await service.ended();
    const [connection] = ingest.connections;
    assert.ok(connection !== undefined);
    await connection.closed;
    await service.close();
    await ingest.close();
    assertFrames(received(connection), 0, n);
  });

  it('keep the order of tracks of which one stalls for less than the process delay, again and again', async (t) => {
    const [stall, every, frames] = [330, 700, 800];
    const stalled: Buffer[] = [];
    const clock = new FakeClock();
    const ingest = await ScriptableIngest.start({ answers: true });
    t.after(() => ingest.close());
    const service = await startKmp(
      {
        inAck: 'frame',
        inReadInterval: 230,
        outMinProcessDelay: 400,
        outMaxProcessDelay: 1000,
        outFlushTimeout: 20,
        outWriteMetaTimeout: 0,
        outOnfiPeriod: 0,
      },
      { clock },
    );
    t.after(() => service.close());
    const data = { upstream_id: 'u1', url: `rtmp://127.0.0.1:${ingest.port}/app/s` };
    const [video, audio] = [await KmpSender.open(service.port, data), await KmpSender.open(service.port, data)];
    t.after(() => [video, audio].forEach((sender) => sender.destroy()));
    video.send(videoMinf());
    audio.send(audioMinf());
    const connection = await ingest.next();
    await connection.command('publish');
    await eventually(() => service.registry.get('u1')?.state === 'publishing', 'the publish');
    const isDelivered = (): boolean => {
      const { bytesWritten, localPort } = audio.socket;
      const read = service.registry.get('u1')?.status().streams['s']?.tracks.audio?.input?.received_bytes ?? 0;
      return read >= bytesWritten || read + unreadBytes(service.port, localPort) >= bytesWritten;
    };
    for (let ms = 0; ms < frames * 10; ms += 10) {
      video.send(frameAt(ms, payload(ms / 10), { key: ms % 250 === 0 }));
      stalled.push(frameAt(ms, `audio ${ms}`));
      const sends = ms % every >= stall ? stalled.splice(0) : [];
      if (sends.length > 0) audio.send(...sends);
      // What was sent lies in the kernel before the time goes on.
      await turns(3);
      // A busy machine delivers it later. After a stall, that would be too late.
      if (sends.length > 1) while (!isDelivered()) await turns(3);
      clock.advance(10);
    }
    audio.send(...stalled);
    const all = (): boolean => [video, audio].every(({ lastAck }) => lastAck === BigInt(frames));
    for (let i = 0; i < 200 && !all(); i++) {
      await turns();
      clock.advance(10);
    }
    assert.ok(all(), `acknowledged ${video.lastAck} and ${audio.lastAck} of ${frames} frames`);
    await connection.until(() => timesOf(connection).length === 2 * frames);
    const times = timesOf(connection);
    const behind = times.filter((time, i) => i > 0 && time < (times[i - 1] ?? 0));
    assert.deepEqual(behind, [], 'a frame came behind a later one');
  });

  it('do so into a dump', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-dump-'));
    try {
      const { sent } = await play({ inDumpFolder: folder }, {});
      const [name = ''] = readdirSync(folder);
      const dump = (): Buffer => readFileSync(join(folder, name));
      // Behind the connect packet, and ahead of the end of the stream.
      await eventually(() => dump().subarray(-16).toString('latin1', 0, 4) === 'eost', 'the end of the dump');
      assert.ok(
        dump()
          .subarray(-16 - sent.length, -16)
          .equals(sent),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
