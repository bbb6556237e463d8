import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FrameCheck } from '../../bench/frame-check.js';
import { audioInfoPacket, connectPacket, fillFramePacket, framePacketBuffer } from '../../bench/kmp-bytes.js';
import { readStamp } from '../../bench/stamp.js';
import { trackList } from '../../bench/tracks.js';

// sent at 1.5, number 2, size 24, track 3, audio
const STAMP = '000000000000f83f' + '02000000' + '18000000' + '03000080';

describe('the load of the bench', () => {
  it('writes a frame packet with its stamp', () => {
    const bytes = framePacketBuffer(24);
    const stamp = { sentAt: 1.5, number: 2, size: 24, track: 3, audio: true };
    const length = fillFramePacket(bytes, 0x1_0000_0002, 90_000, true, stamp);
    // prettier-ignore
    const expected = [
      '6672616d', '28000000', '18000000', '00000000',
      '0200000001000000', '905f010000000000', '01000000', '00000000', STAMP, '5a5a5a5a',
    ];
    assert.equal(bytes.toString('hex', 0, length), expected.join(''));
  });

  it('writes what a sender says first', () => {
    // prettier-ignore
    const connect = [
      '636e6374', '68000000', '07000000', '00000000',
      '6368' + '00'.repeat(30), '74' + '00'.repeat(31), '00'.repeat(24), '7b2261223a317d',
    ];
    assert.equal(connectPacket('ch', 't', { a: 1 }).toString('hex'), connect.join(''));
    // prettier-ignore
    const mediaInfo = [
      '6d696e66', '30000000', '02000000', '00000000',
      '01000000', 'f2030000', '905f0100', '00f40100', '0200', '1000', '44ac0000', '0300000000000000', '1210',
    ];
    assert.equal(audioInfoPacket(128_000).toString('hex'), mediaInfo.join(''));
  });

  it('plays each stream of each upstream as a video and an audio track', () => {
    const tracks = trackList({ upstreams: 2, streamsPerUpstream: 2, videoBytes: 16_000, audioBytes: 340 });
    assert.deepEqual(
      tracks.map((track) => track.index),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
    assert.deepEqual(
      tracks.map((track) => track.audio),
      [false, true, false, true, false, true, false, true],
    );
    assert.deepEqual(trackList({ upstreams: 1, streamsPerUpstream: 1, videoBytes: 0, audioBytes: 340 }).length, 1);
    assert.equal(Math.round((tracks[0]?.stepMs ?? 0) * 3), 100);
  });
});

describe('the check of the bench', () => {
  const frame = (number: number, size = 100): [ReturnType<typeof readStamp>, number, boolean, string] => [
    { sentAt: 0, number, size, track: 1, audio: false },
    100,
    false,
    'here',
  ];

  it('reads a stamp where it lies', () => {
    const stamp = readStamp(Buffer.from('af01' + STAMP, 'hex'), 2);
    assert.deepEqual(stamp, { sentAt: 1.5, number: 2, size: 24, track: 3, audio: true });
  });

  it('takes frames in order and whole', () => {
    const check = new FrameCheck();
    for (const number of [0, 1, 2]) check.frame(...frame(number));
    assert.deepEqual([check.received, check.bad], [3, 0]);
  });

  it('counts a gap, a repetition, and a frame of another size', () => {
    const check = new FrameCheck();
    for (const number of [0, 2, 2]) check.frame(...frame(number));
    check.frame(...frame(3, 99));
    assert.equal(check.bad, 3);
    assert.match(check.faults[0] ?? '', /here: frame 2 of track 1 .* 1 was due/);
  });
});
