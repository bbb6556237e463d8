import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Amf0Reader, asRecord, readAmf0, type AmfValue } from '../../../lib/rtmp/amf0/amf0-reader.js';
import { RtmpError } from '../../../lib/rtmp/errors.js';
import { concat, hex, u32be } from '../../support/values/bytes.js';

const record = (fields: Record<string, AmfValue>): AmfValue => Object.assign(Object.create(null), fields) as AmfValue;

/** Hand-written, one for each type of the AMF0 specification. */
const rows: { name: string; bytes: string; value: AmfValue }[] = [
  { name: 'number', bytes: '00 3ff8000000000000', value: 1.5 },
  { name: 'negative number', bytes: '00 c000000000000000', value: -2 },
  { name: 'false', bytes: '01 00', value: false },
  { name: 'true, of any byte but 0', bytes: '01 ff', value: true },
  { name: 'string', bytes: '02 0003 616263', value: 'abc' },
  { name: 'empty string', bytes: '02 0000', value: '' },
  { name: 'UTF-8', bytes: '02 0003 e282ac', value: '€' },
  { name: 'not UTF-8', bytes: '02 0002 61ff', value: 'a\ufffd' },
  { name: 'object', bytes: '03 0001 61 00 3ff0000000000000 0001 62 05 0000 09', value: record({ a: 1, b: null }) },
  { name: 'empty object', bytes: '03 0000 09', value: record({}) },
  { name: 'null', bytes: '05', value: null },
  { name: 'undefined', bytes: '06', value: undefined },
  { name: 'ECMA array', bytes: '08 00000001 0001 61 01 01 0000 09', value: record({ a: true }) },
  { name: 'ECMA array with a wrong count', bytes: '08 00000000 0001 61 01 01 0000 09', value: record({ a: true }) },
  { name: 'strict array', bytes: '0a 00000002 05 02 0001 78', value: [null, 'x'] },
  { name: 'empty strict array', bytes: '0a 00000000', value: [] },
  { name: 'date', bytes: '0b 4278bcfe56800000 0000', value: new Date(1_700_000_000_000) },
  { name: 'long string', bytes: '0c 00000003 616263', value: 'abc' },
  { name: 'unsupported', bytes: '0d', value: undefined },
  { name: 'XML document', bytes: '0f 00000004 3c612f3e', value: '<a/>' },
  { name: 'typed object', bytes: '10 0001 43 0001 61 05 0000 09', value: record({ a: null }) },
  {
    name: 'nested',
    bytes: '03 0001 61 0a 00000001 03 0001 62 05 000009 000009',
    value: record({ a: [record({ b: null })] }),
  },
  { name: 'an empty key that is not the end', bytes: '03 0000 05 0000 09', value: record({ '': null }) },
  { name: 'the later of two equal keys', bytes: '03 0001 61 05 0001 61 01 01 000009', value: record({ a: true }) },
];

function fails(bytes: Buffer, message: RegExp, limits?: object): void {
  assert.throws(() => readAmf0(bytes, limits), { name: 'RtmpError', code: 'rtmp_bad_amf', message });
}

describe('AMF0 reader', () => {
  for (const { name, bytes, value } of rows) {
    it(`reads: ${name}`, () => {
      assert.deepEqual(readAmf0(hex(bytes)), [value]);
    });
  }

  it('reads values one behind the other, and says where it stands', () => {
    const reader = new Amf0Reader(hex('02 0001 61 05 00 0000000000000000'));
    assert.equal(reader.next(), 'a');
    assert.equal(reader.offset, 4);
    assert.equal(reader.next(), null);
    assert.equal(reader.atEnd, false);
    assert.equal(reader.next(), 0);
    assert.equal(reader.atEnd, true);
  });

  it('has no prototype that a key could reach', () => {
    const [value] = readAmf0(hex('03 0009 5f5f70726f746f5f5f 03 0001 78 01 01 000009 000009'));
    const read = asRecord(value);
    assert.ok(read !== undefined);
    assert.deepEqual(Object.keys(read), ['__proto__']);
    assert.equal(read['x'], undefined);
    assert.equal(read['constructor'], undefined);
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });

  it('resolves references, and counts what they repeat', () => {
    const [array] = readAmf0(hex('0a 00000002 03 0001 61 05 000009 07 0001'));
    assert.deepEqual(array, [record({ a: null }), record({ a: null })]);
    // Each line doubles: ten of them would be 2^10 objects to walk.
    const doubling = '03 0001 61 05 0001 62 05 000009' + '0a 00000002 07 0000 07 0000';
    fails(hex(doubling), /more AMF0 values/, { maxValues: 9 });
    assert.equal(readAmf0(hex(doubling), { maxValues: 10 }).length, 2);
  });

  it('refuses references to nothing, and to what is still open', () => {
    fails(hex('07 0000'), /reference 0 at byte 0 names nothing/);
    fails(hex('03 0001 61 07 0000 000009'), /reference 0 at byte 4 names nothing that is complete/);
  });

  it('refuses what ends early, at every offset', () => {
    for (const { name, bytes } of rows) {
      const whole = hex(bytes);
      for (let end = 1; end < whole.length; end++) {
        assert.throws(() => readAmf0(whole.subarray(0, end)), { code: 'rtmp_bad_amf' }, `${name}, ${end} bytes`);
      }
    }
  });

  it('refuses types that AMF0 does not have, or not there', () => {
    for (const marker of [0x04, 0x09, 0x0e, 0x11, 0x12, 0xff]) {
      fails(Buffer.of(5, marker), new RegExp(`type ${marker} at byte 1`));
    }
  });

  it('refuses nesting beyond the limit, in objects and arrays', () => {
    const arrays = (depth: number) => concat(...Array.from({ length: depth }, () => hex('0a 00000001')), Buffer.of(5));
    assert.equal(readAmf0(arrays(16)).length, 1);
    fails(arrays(17), /deeper than 16 levels/);
    fails(arrays(100_000), /deeper than 16 levels/);
    fails(concat(...Array.from({ length: 4 }, () => hex('03 0001 61'))), /deeper than 3 levels/, { maxDepth: 3 });
  });

  it('does not allocate what a length claims', () => {
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 50; i++) {
      fails(concat(Buffer.of(0x0a), u32be(0xffffffff), Buffer.of(5)), /ends within a value/);
      fails(concat(Buffer.of(0x0c), u32be(0xffffffff), Buffer.of(0x61)), /ends within a value/);
    }
    assert.ok(process.memoryUsage().rss - before < 100_000_000);
  });

  it('limits how many values there are', () => {
    fails(Buffer.alloc(11, 5), /more AMF0 values/, { maxValues: 10 });
    assert.equal(readAmf0(Buffer.alloc(10, 5), { maxValues: 10 }).length, 10);
  });

  it('takes any bytes: a value or a clear error', () => {
    const markers = fc.array(fc.oneof(fc.integer({ min: 0, max: 17 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(markers, (bytes) => {
        try {
          // The result has no cycles.
          JSON.stringify(readAmf0(Buffer.from(bytes)));
        } catch (error) {
          assert.ok(error instanceof RtmpError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});
