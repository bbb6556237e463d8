import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { flvFlags, flvHeader, flvTag, scriptData } from '../../lib/ingest/flv.js';
import { concat, hex } from '../support/values/bytes.js';

const name = (text: string) => concat(hex('02'), Buffer.of(0, text.length), Buffer.from(text));
const rest = hex('08 00000001 0005 7769647468 00 4074000000000000 000009');

describe('FLV', () => {
  it('begins with its head', () => {
    assert.deepEqual(flvHeader(flvFlags(true, true)), hex('464c56 01 05 00000009 00000000'));
    assert.deepEqual(flvHeader(flvFlags(true, false)), hex('464c56 01 04 00000009 00000000'));
    assert.deepEqual(flvHeader(flvFlags(false, true)), hex('464c56 01 01 00000009 00000000'));
  });

  const rows: { name: string; kind: 'audio' | 'video' | 'data'; timestamp: number; payload: Buffer; tag: string }[] = [
    {
      name: 'audio',
      kind: 'audio',
      timestamp: 0,
      payload: hex('af01ff'),
      tag: '08 000003 000000 00 000000 af01ff 0000000e',
    },
    {
      name: 'video beyond 24 bits of time',
      kind: 'video',
      timestamp: 0x12345678,
      payload: hex('1701'),
      tag: '09 000002 345678 12 000000 1701 0000000d',
    },
    {
      name: 'the last possible time',
      kind: 'video',
      timestamp: 0xffffffff,
      payload: hex('27'),
      tag: '09 000001 ffffff ff 000000 27 0000000c',
    },
    {
      name: 'data',
      kind: 'data',
      timestamp: 7,
      payload: hex('02 0001 61 05'),
      tag: '12 000005 000007 00 000000 0200016105 00000010',
    },
    { name: 'an empty message', kind: 'audio', timestamp: 0, payload: hex(''), tag: '' },
    { name: 'data without a name', kind: 'data', timestamp: 0, payload: hex('05'), tag: '' },
    { name: 'what does not fit a tag', kind: 'video', timestamp: 0, payload: Buffer.alloc(0x1000000), tag: '' },
  ];
  for (const { name: title, kind, timestamp, payload, tag } of rows) {
    it(`has a tag for: ${title}`, () => {
      assert.deepEqual(concat(...flvTag({ kind, timestamp, payload })), hex(tag));
    });
  }

  it('names the metadata as players know it, and leaves its values as they are', () => {
    const wanted = concat(name('onMetaData'), rest);
    assert.deepEqual(scriptData(concat(name('@setDataFrame'), name('@onMetaData'), rest)), wanted);
    assert.deepEqual(scriptData(concat(name('@setDataFrame'), name('onMetaData'), rest)), wanted);
    assert.deepEqual(scriptData(concat(name('onMetaData'), rest)), wanted);
    assert.deepEqual(scriptData(concat(name('onFI'), rest)), concat(name('onFI'), rest));
  });

  it('has no place for data that names nothing', () => {
    for (const bytes of ['', '05', '02 0009 61', '00 0000000000000000', 'ff']) {
      assert.equal(scriptData(hex(bytes)), undefined);
    }
    assert.equal(scriptData(name('@setDataFrame')), undefined);
  });

  it('takes any data without a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        scriptData(Buffer.from(bytes));
        scriptData(concat(name('@setDataFrame'), Buffer.from(bytes)));
      }),
    );
  });
});
