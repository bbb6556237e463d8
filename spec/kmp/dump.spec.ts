import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { parseDump, readDump } from '../../lib/kmp/dump.js';
import { KmpError } from '../../lib/kmp/error.js';
import { concat, hex } from '../support/values/bytes.js';
import { pieces } from '../support/values/cuts.js';
import * as kmp from '../support/kmp/kmp-bytes.js';
import { plain } from './plain.js';

const info = kmp.packet('minf', kmp.audioFields(), hex('1210'));
const packets = concat(info, kmp.frame('one', 1, 1), kmp.frame('two', 2, 1));
const kinds = (bytes: Buffer): unknown[] =>
  parseDump(bytes).packets.map((packet) => Reflect.get(plain(packet), 'kind'));

describe('KMP dumps', () => {
  it('are read with the connect packet and without', () => {
    assert.deepEqual(kinds(concat(packets, kmp.end)), [undefined, 'frame', 'frame', 'end']);
    assert.deepEqual(kinds(concat(kmp.connect(), packets)), ['connect', undefined, 'frame', 'frame']);
    assert.deepEqual(parseDump(Buffer.alloc(0)), { packets: [], error: undefined });
  });

  it('that are cut off are read up to there', () => {
    const dump = parseDump(packets.subarray(0, -1));
    assert.equal(dump.packets.length, 2);
    assert.equal(dump.error?.code, 'kmp_truncated');
    assert.equal(
      dump.error.message,
      'KMP packet "fram" at byte 93: size is 42; the dump ends here, though the packet needs 43 bytes',
    );
    assert.match(parseDump(packets.subarray(0, 95)).error?.message ?? '', /^KMP packet at byte 93: size is 2;/);
  });

  it('that are damaged are read up to there', () => {
    const dump = parseDump(concat(packets, hex('ff'.repeat(64))));
    assert.equal(dump.packets.length, 3);
    assert.deepEqual([dump.error?.code, dump.error?.offset], ['kmp_unknown_type', packets.length]);
  });

  it('come packet by packet from a stream, and break off with the error', async () => {
    const read: object[] = [];
    const broken = async (bytes: Buffer): Promise<void> => {
      for await (const packet of readDump(pieces(bytes, 7))) read.push(plain(packet));
    };
    await broken(packets);
    assert.deepEqual(read, parseDump(packets).packets.map(plain));
    read.length = 0;
    await assert.rejects(
      broken(packets.subarray(0, -1)),
      (error) => error instanceof KmpError && error.code === 'kmp_truncated',
    );
    assert.equal(read.length, 2);
    read.length = 0;
    await assert.rejects(
      broken(concat(packets, kmp.connect())),
      (error) => error instanceof KmpError && error.code === 'kmp_second_connect',
    );
    assert.equal(read.length, 3);
  });
});
