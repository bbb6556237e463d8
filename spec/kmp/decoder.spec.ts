import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import type { PacketBatch } from '../../lib/kmp/decoder.js';
import { KmpDecoder } from '../../lib/kmp/decoder.js';
import { KmpError } from '../../lib/kmp/error.js';
import { Frame } from '../../lib/media/frame.js';
import { pumpify, Writable } from '../../lib/base/streams.js';
import { concat, hex } from '../support/values/bytes.js';
import { FakeClock } from '../support/time/fake-clock.js';
import * as kmp from '../support/kmp/kmp-bytes.js';
import { plain } from './plain.js';

const bad = hex('ff'.repeat(16));

function collect(decoder: KmpDecoder): PacketBatch[] {
  const batches: PacketBatch[] = [];
  decoder.on('data', (batch: PacketBatch) => batches.push(batch));
  return batches;
}

describe('KMP decoder', () => {
  it('gives one batch a read, with the bytes that came and those held, and the times between', () => {
    const clock = new FakeClock();
    clock.advance(5);
    const decoder = new KmpDecoder({ clock });
    const batches = collect(decoder);
    const second = kmp.frame('second');
    clock.advance(100);
    decoder.write(concat(kmp.connect('{}'), kmp.frame('first'), second.subarray(0, 43)));
    clock.advance(200);
    decoder.write(second.subarray(43, 44));
    clock.advance(300);
    decoder.write(concat(second.subarray(44), kmp.frame('third')));
    assert.deepEqual(
      batches.map(({ packets, ...rest }) => ({ ...rest, count: packets.length })),
      [
        { bytes: 106 + 45 + 43, held: 3, since: 5, at: 105, released: false, count: 2, block: undefined },
        { bytes: 1, held: 4, since: 105, at: 305, released: false, count: 0, block: undefined },
        { bytes: 2 + 45, held: 0, since: 305, at: 605, released: false, count: 2, block: undefined },
      ],
    );
    const frames = batches.flatMap((batch) => batch.packets).filter((packet) => packet instanceof Frame);
    assert.deepEqual(
      frames.map((frame) => [frame.payload().toString(), frame.arrivedAt]),
      [
        ['first', 105],
        ['second', 605],
        ['third', 605],
      ],
    );
    assert.equal(decoder.bytesReceived, 106 + 45 + 46 + 45);
  });

  it('fails with the KmpError, after the packets before it, when the reader is quick', async () => {
    const decoder = new KmpDecoder();
    const batches = collect(decoder);
    decoder.end(concat(kmp.connect(), kmp.frame('good'), bad));
    const [error] = (await once(decoder, 'error')) as [unknown];
    assert(error instanceof KmpError && error.code === 'kmp_unknown_type' && error.offset === 106 + 44);
    assert.deepEqual(
      batches.map((batch) => batch.packets.length),
      [2],
    );
    assert(decoder.destroyed);
  });

  it('fails with the KmpError, after the packets before it, when the reader is slow', async () => {
    const decoder = new KmpDecoder();
    decoder.write(kmp.connect());
    decoder.write(kmp.frame('good'));
    decoder.write(concat(kmp.frame('good too'), bad));
    const seen: object[] = [];
    await assert.rejects(
      async () => {
        for await (const batch of decoder as AsyncIterable<PacketBatch>) {
          await immediate();
          seen.push(...batch.packets.map(plain));
        }
      },
      (error) => error instanceof KmpError && error.code === 'kmp_unknown_type',
    );
    assert.equal(seen.length, 3);
  });

  it('takes no more bytes than it can give away when no one reads', async () => {
    const decoder = new KmpDecoder();
    decoder.write(kmp.connect());
    for (let i = 0; i < 10; i++) decoder.write(kmp.packet('null', undefined, Buffer.alloc(30_000)));
    await immediate();
    assert(decoder.readableLength <= 2, `${decoder.readableLength} batches wait`);
    assert.equal(decoder.write(kmp.nullPacket), false);
  });

  it('ends as usual when the sender goes in the middle of a packet, and tells', async () => {
    const decoder = new KmpDecoder();
    const batches = collect(decoder);
    decoder.end(concat(kmp.connect(), kmp.frame('cut off').subarray(0, 42)));
    await once(decoder, 'end');
    assert.equal(batches.length, 1);
    assert.deepEqual(decoder.unfinished, { offset: 106, packetType: 'fram', received: 42, expected: 47 });
  });

  it('reads a dump without its connect packet, and fails where the dump is cut, after what is whole', async () => {
    const info = kmp.packet('minf', kmp.audioFields(), hex('1210'));
    const dump = concat(info, kmp.frame('whole'), kmp.frame('cut off').subarray(0, 42));
    for (const parts of [[dump], [dump.subarray(0, 130), dump.subarray(130)]]) {
      const decoder = new KmpDecoder({ dump: true });
      const seen: PacketBatch[] = [];
      const read = (async () => {
        for await (const batch of decoder) seen.push(batch as PacketBatch);
      })();
      for (const part of parts) decoder.write(part);
      decoder.end();
      await assert.rejects(read, (error) => error instanceof KmpError && error.code === 'kmp_truncated');
      assert.equal(seen.flatMap(({ packets }) => packets).length, 2);
    }
  });

  it('runs in a line behind a socket, whose sender is cut off by bad input', async () => {
    const seen: object[] = [];
    const failed = new Promise<unknown>((resolve) => {
      const server = createServer((socket) => {
        const input = new Writable({
          objectMode: true,
          write(batch: PacketBatch, _encoding, callback) {
            seen.push(...batch.packets.map(plain));
            callback();
          },
        });
        new pumpify(socket, new KmpDecoder(), input).on('error', resolve);
        server.close();
      });
      server.listen(0, '127.0.0.1', () => {
        const sender = connectSocket((server.address() as AddressInfo).port, '127.0.0.1');
        sender.on('error', () => undefined);
        sender.write(concat(kmp.connect(), kmp.frame('x'.repeat(200_000)), kmp.frame('last good one'), bad));
      });
    });
    const error = await failed;
    assert(error instanceof KmpError && error.code === 'kmp_unknown_type');
    assert.deepEqual(
      seen.map((packet) => Reflect.get(packet, 'size') as unknown),
      [undefined, 200_000, 13],
    );
  });
});
