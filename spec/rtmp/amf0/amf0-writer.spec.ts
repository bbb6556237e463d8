import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { writeAmf0, type Amf0Value } from '../../../lib/rtmp/amf0/amf0-writer.js';
import { hex } from '../../support/values/bytes.js';

/** AMF0 specification, chapter 2. */
const rows: readonly [name: string, values: Amf0Value[], bytes: string][] = [
  ['numbers, as doubles', [0, 1, -2.5], '00 0000000000000000 00 3ff0000000000000 00 c004000000000000'],
  ['true and false', [true, false], '01 01 01 00'],
  ['strings', ['', 'onFI'], '02 0000 02 0004 6f6e4649'],
  ['strings in UTF-8, counted in bytes', ['é'], '02 0002 c3a9'],
  ['null', [null], '05'],
  ['objects', [{ app: 'x', n: 1 }], '03 0003 617070 02 0001 78 0001 6e 00 3ff0000000000000 0000 09'],
  ['empty objects', [{}], '03 0000 09'],
  ['maps, as ECMA arrays with their size', [new Map([['a', true]])], '08 00000001 0001 61 01 01 0000 09'],
  ['arrays', [['a', null]], '0a 00000002 02 0001 61 05'],
  ['objects in objects', [{ a: { b: null } }], '03 0001 61 03 0001 62 05 0000 09 0000 09'],
  ['nothing', [], ''],
];

describe('AMF0 is written', () => {
  for (const [name, values, bytes] of rows) {
    it(name, () => assert.equal(writeAmf0(...values).toString('hex'), hex(bytes).toString('hex')));
  }

  it('long strings with a length of their own from 65536 bytes on', () => {
    assert.equal(writeAmf0('x'.repeat(65535)).toString('hex', 0, 4), '02ffff78');
    const long = writeAmf0('x'.repeat(65536));
    assert.equal(long.toString('hex', 0, 6), '0c0001000078');
    assert.equal(long.length, 5 + 65536);
  });
});
