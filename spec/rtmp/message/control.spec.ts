import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import * as control from '../../../lib/rtmp/message/control.js';
import { hex } from '../../support/values/bytes.js';

const { readControl } = control;

/** Both ways: what the bytes say, and the function that writes them (if there is one). */
const rows: [type: number, bytes: string, message: control.ControlMessage, written?: control.ControlOut][] = [
  [1, '00010000', { kind: 'setChunkSize', size: 65536 }, control.setChunkSize(65536)],
  [2, '00000004', { kind: 'abort', chunkStreamId: 4 }],
  [3, 'fffffffe', { kind: 'ack', sequence: 0xfffffffe }, control.acknowledgement(0xfffffffe)],
  [5, '002625a0', { kind: 'windowAckSize', window: 2500000 }, control.windowAckSize(2500000)],
  [
    6,
    '002625a000',
    { kind: 'peerBandwidth', window: 2500000, limitType: 'hard' },
    control.setPeerBandwidth(2500000, 'hard'),
  ],
  [
    6,
    '002625a001',
    { kind: 'peerBandwidth', window: 2500000, limitType: 'soft' },
    control.setPeerBandwidth(2500000, 'soft'),
  ],
  [
    6,
    '0000000a02',
    { kind: 'peerBandwidth', window: 10, limitType: 'dynamic' },
    control.setPeerBandwidth(10, 'dynamic'),
  ],
  [6, '0000000a77', { kind: 'peerBandwidth', window: 10, limitType: 'dynamic' }],
  [4, '0000 00000001', { kind: 'streamBegin', streamId: 1 }, control.streamBegin(1)],
  [4, '0001 00000001', { kind: 'streamEof', streamId: 1 }],
  [4, '0002 00000001', { kind: 'streamDry', streamId: 1 }],
  [4, '0003 00000001 00000bb8', { kind: 'setBufferLength', streamId: 1, milliseconds: 3000 }],
  [4, '0004 00000001', { kind: 'streamIsRecorded', streamId: 1 }],
  [4, '0006 fedcba98', { kind: 'ping', timestamp: 0xfedcba98 }, control.pingRequest(0xfedcba98)],
  [4, '0007 fedcba98', { kind: 'pong', timestamp: 0xfedcba98 }, control.pingResponse(0xfedcba98)],
];

describe('control messages', () => {
  for (const [type, bytes, message, written] of rows) {
    it(`${JSON.stringify(message)}`, () => {
      const payload = hex(bytes);
      assert.deepEqual(readControl(type, payload), message);
      assert.deepEqual(readControl(type, Buffer.concat([payload, hex('ffff')])), message, 'with bytes behind it');
      if (written !== undefined) assert.deepEqual(written, { type, payload });
      for (let end = 0; end < payload.length; end++) {
        assert.throws(() => readControl(type, payload.subarray(0, end)), { code: 'rtmp_bad_message' });
      }
    });
  }

  it('writes numbers modulo 2^32', () => {
    assert.deepEqual(control.acknowledgement(0x1_0000_0005).payload, hex('00000005'));
  });

  it('passes over events and types that it does not know', () => {
    for (const event of ['0005', '0008', '001a', '0020', 'ffff']) {
      assert.equal(readControl(4, hex(`${event} 00000001`)), undefined);
    }
    for (const type of [0, 7, 8, 9, 18, 20, 255]) assert.equal(readControl(type, hex('0000000000')), undefined);
  });
});
