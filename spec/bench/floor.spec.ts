import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Helper } from '../../bench/children.js';
import { Arena } from '../../bench/floor/arena.js';
import { Track } from '../../bench/floor/track.js';
import { Upstream } from '../../bench/floor/upstream.js';
import { ChunkReader } from '../../bench/chunk-reader.js';
import { fillFramePacket, framePacketBuffer, TIMESCALE } from '../../bench/kmp-bytes.js';
import type { IngestReport } from '../../bench/messages.js';
import { readStamp } from '../../bench/stamp.js';
import { readMediaInfoFields } from '../../lib/kmp/fields.js';
import { audioInfoPacket, videoInfoPacket } from '../../bench/kmp-bytes.js';
import { socketHandle } from '../../lib/node-internals/socket-handle.js';

const open: net.Socket[] = [];
const server = net.createServer({ pauseOnConnect: true });
after(() => {
  for (const socket of open) socket.destroy();
  server.close();
});

/** A sender, and the descriptor of its connection at our side. */
async function connection(): Promise<{ sender: net.Socket; fd: number }> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const sender = net.connect({ host: '127.0.0.1', port });
  const [socket] = await accepted;
  open.push(sender, socket);
  return { sender, fd: socketHandle(socket)?.fd ?? assert.fail('no descriptor') };
}

function frame(track: number, audio: boolean, number: number, size: number): Buffer {
  const packet = framePacketBuffer(size);
  const dts = TIMESCALE + number * 3000;
  return packet.subarray(0, fillFramePacket(packet, 0, dts, true, { sentAt: 0, number, size, track, audio }));
}

/** Chunk stream 2: Set Chunk Size, 65536. */
const SET_CHUNK_SIZE = Buffer.from('02000000000004010000000000010000', 'hex');

describe('a track of the floor', () => {
  const cases = [
    { name: 'cuts packets and their headers at the end of the ring', ring: 4096, frames: 200, size: 1237 },
    { name: 'cuts a frame into chunks', ring: 1 << 19, frames: 12, size: 150_001 },
  ];
  for (const { name, ring, frames, size } of cases) {
    it(name, async () => {
      const { sender, fd } = await connection();
      let acks = Buffer.alloc(0);
      sender.on('data', (bytes: Buffer) => (acks = Buffer.concat([acks, bytes])));
      const sizes = Array.from({ length: frames }, (_, number) => size + ((number * 131) % 400));
      sender.write(Buffer.concat(sizes.map((bytes, number) => frame(5, false, number, bytes))));
      const arena = new Arena();
      const track = new Track(fd, true, arena, arena.take(ring) ?? 0, ring);
      const seen: number[] = [];
      const reader = new ChunkReader(({ type, head, length }) => {
        if (type === 1) return;
        const stamp = readStamp(head, 5);
        assert.deepEqual([type, stamp.number, stamp.track, head.readUInt32BE(0)], [9, seen.length, 5, 0x17010000]);
        assert.equal(stamp.size, length - 5);
        seen.push(stamp.size);
      });
      reader.feed(SET_CHUNK_SIZE, 0, SET_CHUNK_SIZE.length);
      for (let first = true; seen.length < frames;) {
        await sleep(1);
        track.fill(1);
        for (; track.waiting; first = false) {
          const end = track.encode(Arena.output, 4, 1, first ? undefined : 33);
          reader.feed(arena.bytes, Arena.output, end);
        }
        track.release();
      }
      assert.deepEqual(seen, sizes);
      while (acks.length < 36 || acks.readUInt32LE(acks.length - 20) < frames) await once(sender, 'data');
      assert.equal(acks.toString('latin1', acks.length - 36, acks.length - 32), 'kack');
    });
  }
});

describe('an upstream of the floor', () => {
  it('passes all frames of two tracks on, in order and whole', async () => {
    const { helper, news } = await Helper.start<IngestReport, { rtmpPort: number }>('./ingest.js');
    after(() => helper.kill());
    const arena = new Arena();
    const place = (size: number): { arena: Arena; base: number } => ({ arena, base: arena.take(size) ?? 0 });
    const upstream = new Upstream(new URL(`rtmp://127.0.0.1:${news.rtmpPort}/app/one`), place);
    const FRAMES = 120;
    for (const [track, info] of [videoInfoPacket(4e6, 30), audioInfoPacket(1e5)].entries()) {
      const { sender, fd } = await connection();
      const audio = track === 1;
      const packets = Array.from({ length: FRAMES }, (_, number) => frame(track, audio, number, audio ? 700 : 9000));
      sender.resume().write(Buffer.concat(packets));
      const fields = readMediaInfoFields(info, 16, 0);
      upstream.join({ fd, info: { ...fields, extraData: info.subarray(48) }, rest: Buffer.alloc(0) });
    }
    let report: IngestReport | undefined;
    // The clock of the upstream is ours: what was read is due at the next turn.
    for (let now = 0; (report?.received ?? 0) < 2 * FRAMES; now += 5000) {
      upstream.turn(now);
      await sleep(5);
      report = await helper.ask('read');
    }
    assert.deepEqual([report?.bad, report?.faults, report?.received], [0, [], 2 * FRAMES]);
  });
});
