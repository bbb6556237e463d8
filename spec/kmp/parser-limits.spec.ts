import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FramePool } from '../../lib/media/frame-pool.js';
import { Frame } from '../../lib/media/frame.js';
import { KmpError } from '../../lib/kmp/error.js';
import type { KmpPacket } from '../../lib/kmp/packet.js';
import { KmpParser } from '../../lib/kmp/parser.js';
import { ascii, concat, u32le } from '../support/values/bytes.js';
import { pieces } from '../support/values/cuts.js';
import * as kmp from '../support/kmp/kmp-bytes.js';
import { plain } from './plain.js';

/** Bytes of memory that the payloads of these packets keep alive: whole buffers, each once. */
function kept(packets: readonly KmpPacket[]): number {
  const buffers = new Set<ArrayBufferLike>();
  for (const packet of packets) {
    if (packet instanceof Frame) for (const part of packet.parts) buffers.add(part.buffer);
  }
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
}

const fieldSizes = new Map([
  ['cnct', 88],
  ['minf', 32],
  ['fram', 24],
]);

/** A chunk with memory of its own, as a socket's reads have. */
function own(bytes: Buffer): Buffer {
  const chunk = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(chunk);
  return chunk;
}

describe('KMP parser, limits', () => {
  it('holds only what has come, whatever a packet claims', () => {
    const parser = new KmpParser({ connectRequired: false });
    const claim = kmp.packet('fram', kmp.frameFields(0, 0), ascii('x'), { dataSize: 16 * 1024 * 1024 });
    const before = process.memoryUsage().arrayBuffers;
    parser.feed(claim);
    assert.equal(parser.heldBytes, 1);
    assert(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  });

  it('does not hold what it skips: data of keep-alives, and longer headers', () => {
    const parser = new KmpParser({ connectRequired: false });
    parser.feed(kmp.packet('null', Buffer.alloc(100), undefined, { dataSize: 1_000_000 }));
    for (let i = 0; i < 9; i++) {
      assert.deepEqual(parser.feed(Buffer.alloc(100_000)), []);
      assert.equal(parser.heldBytes, 0);
    }
    assert.deepEqual(parser.feed(Buffer.alloc(100_000)), [{ kind: 'null' }]);
  });

  it('puts dribbled bytes together, so that a slice a byte does not pile up', () => {
    const payload = Buffer.alloc(300_000, 'some payload, ');
    const parser = new KmpParser({ connectRequired: false });
    const packets: KmpPacket[] = [];
    for (const byte of pieces(kmp.frame(payload), 1)) {
      packets.push(...parser.feed(byte));
      assert(parser.heldBytes <= payload.length);
    }
    const [frame] = packets;
    assert(frame instanceof Frame);
    assert.deepEqual(frame.payload(), payload);
    assert(frame.parts.length < 40, `${frame.parts.length} slices`);
    assert(kept(packets) < 1.5 * payload.length, `${kept(packets)} bytes kept for ${payload.length}`);
  });

  it('reads dribbled bytes and large pieces in turn in the right order', () => {
    const payload = Buffer.alloc(200_000, 'abcdefghijklmnopqrstuvwxyz0123456789');
    const bytes = kmp.frame(payload);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const parser = new KmpParser({ connectRequired: false });
        const packets: KmpPacket[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          packets.push(...parser.feed(own(bytes.subarray(at, at + size))));
          at += size;
        }
        const [frame] = packets;
        assert(frame instanceof Frame && packets.length === 1);
        assert(frame.payload().equals(payload));
      }),
      { numRuns: 50 },
    );
  });

  it('lets a read go of which little is kept', () => {
    const padding = kmp.packet('null', undefined, Buffer.alloc(60_000));
    const parser = new KmpParser({ connectRequired: false });
    const packets: KmpPacket[] = [];
    // The second frame is cut by the end of each read.
    const round = concat(kmp.frame('a tiny frame'), padding, kmp.frame('another one'));
    const stream = concat(...Array.from({ length: 20 }, () => round));
    for (let at = 0; at < stream.length; at += round.length)
      packets.push(...parser.feed(own(stream.subarray(Math.max(0, at - 5), at + round.length - 5))));
    packets.push(...parser.feed(own(stream.subarray(-5))));
    const frames = packets.filter((packet) => packet instanceof Frame);
    assert.deepEqual(
      frames.map((frame) => frame.payload().toString()),
      Array.from({ length: 20 }, () => ['a tiny frame', 'another one']).flat(),
    );
    assert(kept(packets) < 5000, `${kept(packets)} bytes kept for ${frames.length} tiny frames`);
  });

  it('lets the read go that brought private data', () => {
    const parser = new KmpParser({ connectRequired: false });
    const read = concat(kmp.packet('minf', kmp.videoFields(), Buffer.alloc(60_000)), kmp.frame('tiny'));
    const packets = parser.feed(own(read));
    assert.equal(packets.length, 2);
    assert(kept(packets) < 100);
  });

  it('never throws anything but KmpError, nor holds more than its limit, whatever it is fed', () => {
    const type = fc.constantFrom('cnct', 'minf', 'fram', 'null', 'eost', 'ackf', 'junk');
    // Mostly sensible sizes, so that runs get past the checks.
    const size = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
    );
    const header = fc.tuple(type, fc.constantFrom(0, 0, 0, 1, 5, -1, 70000), size).map(([name, more, dataSize]) => {
      const fields = fieldSizes.get(name) ?? 0;
      return concat(ascii(name), u32le(16 + fields + more), u32le(dataSize), u32le(0));
    });
    const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
    const good = fc.constantFrom(kmp.connect(), kmp.frame('payload', 1, 1), kmp.packet('minf', kmp.audioFields()));
    const input = fc.array(fc.oneof(header, noise, good), { maxLength: 20 }).map((parts) => Buffer.concat(parts));
    fc.assert(
      fc.property(input, fc.integer({ min: 1, max: 500 }), fc.boolean(), (bytes, step, connectRequired) => {
        const maxDataSize = 4096;
        const whole = new KmpParser({ maxDataSize, connectRequired });
        const parser = new KmpParser({ maxDataSize, connectRequired });
        const expected = whole.feed(bytes).map(plain);
        const packets: object[] = [];
        for (const piece of pieces(bytes, step)) {
          try {
            packets.push(...parser.feed(piece).map(plain));
          } catch (error) {
            assert(error instanceof KmpError && error === parser.error);
          }
          assert(parser.heldBytes <= maxDataSize + 88);
        }
        assert.deepEqual(packets, expected);
        assert.equal(parser.error?.message, whole.error?.message);
      }),
      { numRuns: 500 },
    );
  });

  it('reads the same from parts of a large buffer, with frames that are used again', () => {
    const payload = fc.uint8Array({ minLength: 0, maxLength: 3000 }).map((bytes) => Buffer.from(bytes));
    const number = fc.integer({ min: -(2 ** 40), max: 2 ** 52 });
    const frame = fc
      .tuple(number, number, fc.integer({ min: 0, max: 3 }), fc.integer({ min: -5000, max: 5000 }), payload)
      .map(([created, dts, flags, delay, bytes]) =>
        kmp.packet('fram', kmp.frameFields(BigInt(created), BigInt(dts), flags, delay), bytes),
      );
    const other = fc.constantFrom(kmp.nullPacket, kmp.packet('null', Buffer.alloc(9)), Buffer.from('junk'));
    const input = fc.array(fc.oneof({ weight: 9, arbitrary: frame }, { weight: 1, arbitrary: other }), {
      maxLength: 30,
    });
    const pool = new FramePool();
    fc.assert(
      fc.property(input, fc.integer({ min: 1, max: 9000 }), (parts, step) => {
        const bytes = Buffer.concat(parts);
        const whole = new KmpParser({ connectRequired: false });
        const expected = whole.feed(bytes).map(plain);
        const memory = Buffer.allocUnsafeSlow(bytes.length + 2 * 7);
        bytes.copy(memory, 7);
        const parser = new KmpParser({ connectRequired: false, pool });
        const packets: KmpPacket[] = [];
        for (let at = 0; at < bytes.length && parser.error === undefined; at += step) {
          packets.push(...parser.feed(memory, 7 + at, 7 + Math.min(bytes.length, at + step)));
        }
        assert.deepEqual(packets.map(plain), expected);
        assert.equal(parser.error?.message, whole.error?.message);
        assert.equal(new Set(packets.filter((one) => one instanceof Frame)).size, frames(packets).length);
        // A frame that is given back twice is not taken twice.
        for (const one of [...frames(packets), ...frames(packets)]) pool.give(one);
      }),
      { numRuns: 300 },
    );
  });
});

function frames(packets: readonly KmpPacket[]): Frame[] {
  return packets.filter((one) => one instanceof Frame);
}
