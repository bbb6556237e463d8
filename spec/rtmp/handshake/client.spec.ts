import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { RtmpError } from '../../../lib/rtmp/errors.js';
import { ClientHandshake } from '../../../lib/rtmp/handshake/client.js';
import { signedS1 } from '../../support/ingest/script-bytes.js';

const fixture = (name: string) => readFileSync(`spec/fixtures/rtmp/${name}`);
const client = fixture('handshake-nginx-client.bin');
const server = fixture('handshake-nginx-server.bin');

/** Hands out the filler that nginx used, so that what we make can be compared with what it made. */
function nginxFiller(): (size: number) => Buffer {
  const fillers = [client.subarray(9, 1537), client.subarray(1537, 3041)];
  return (size) => {
    const filler = fillers.shift();
    assert.equal(filler?.length, size);
    return filler;
  };
}

function collect(handshake: ClientHandshake, pieces: Buffer[]) {
  const replies: Buffer[] = [];
  let last: { done: boolean; rest: Buffer } = { done: false, rest: Buffer.alloc(0) };
  for (const piece of pieces) {
    assert.equal(last.done, false, 'done before the last piece');
    const step = handshake.feed(piece);
    if (step.reply !== undefined) replies.push(step.reply);
    last = step;
  }
  return { replies, ...last };
}

const zeros = Buffer.concat([Buffer.of(3), Buffer.alloc(3072)]);

describe('ClientHandshake', () => {
  it('writes the C0 C1 C2 that nginx wrote, given its filler, time and server', () => {
    const handshake = new ClientHandshake({ random: nginxFiller(), epoch: client.readUInt32BE(1) });
    assert.deepEqual(handshake.hello(), client.subarray(0, 1537));
    const { replies, done, rest } = collect(handshake, [server]);
    assert.deepEqual(replies, [client.subarray(1537)]);
    assert.equal(done, true);
    assert.equal(rest.length, 0);
  });

  it('does so byte by byte, and answers S1 without waiting for S2', () => {
    const handshake = new ClientHandshake({ random: nginxFiller() });
    handshake.hello();
    for (let i = 0; i < server.length; i++) {
      const step = handshake.feed(server.subarray(i, i + 1));
      assert.deepEqual(step.reply, i === 1536 ? client.subarray(1537) : undefined);
      assert.equal(step.done, i === server.length - 1);
    }
  });

  it('takes the answer cut anywhere, and gives back what follows it', () => {
    const tail = Buffer.from('02000000', 'hex');
    const whole = Buffer.concat([server, tail]);
    for (let cut = 0; cut <= server.length; cut++) {
      const handshake = new ClientHandshake({ random: nginxFiller() });
      handshake.hello();
      const pieces = cut === server.length ? [whole] : [whole.subarray(0, cut), whole.subarray(cut)];
      const { replies, done, rest } = collect(handshake, pieces);
      assert.deepEqual(replies, [client.subarray(1537)], `cut at ${cut}`);
      assert.equal(done, true);
      assert.deepEqual(rest, tail);
    }
  });

  it('offers version 0c 00 0d 0e, time and filler of its own each time', () => {
    const one = new ClientHandshake({ epoch: 0x1_0000_0002 }).hello();
    const two = new ClientHandshake().hello();
    assert.equal(one.length, 1537);
    assert.equal(one.subarray(0, 9).toString('hex'), '03000000020c000d0e');
    assert.equal(two.subarray(0, 9).toString('hex'), '03000000000c000d0e');
    assert.notDeepEqual(one.subarray(9), two.subarray(9));
  });

  it('answers in the old style where S1 has version 0: C2 is S1', () => {
    const handshake = new ClientHandshake();
    handshake.hello();
    const { replies, done } = collect(handshake, [zeros]);
    assert.deepEqual(replies, [Buffer.alloc(1536)]);
    assert.equal(done, true);
  });

  it('answers in the old style where S1 has a version but no digest at either place', () => {
    const s1 = Buffer.alloc(1536, 0x5a);
    const { replies } = collect(new ClientHandshake(), [Buffer.concat([Buffer.of(3), s1, Buffer.alloc(1536)])]);
    assert.deepEqual(replies, [s1]);
  });

  for (const scheme of [0, 1] as const) {
    it(`signs C2 for a digest at scheme ${scheme}'s place`, () => {
      const s1 = signedS1(scheme);
      const from = scheme === 1 ? 8 : 772;
      const at = from + 4 + ([0, 1, 2, 3].reduce((sum, i) => sum + s1.readUInt8(from + i), 0) % 728);
      const key = Buffer.concat([
        Buffer.from('Genuine Adobe Flash Player 001'),
        Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex'),
      ]);
      const filler = Buffer.alloc(1504, 0x77);
      const handshake = new ClientHandshake({ random: () => filler });
      const { replies } = collect(handshake, [Buffer.concat([Buffer.of(3), s1, Buffer.alloc(1536)])]);
      const inner = createHmac('sha256', key)
        .update(s1.subarray(at, at + 32))
        .digest();
      const digest = createHmac('sha256', inner).update(filler).digest();
      assert.deepEqual(replies, [Buffer.concat([filler, digest])]);
    });
  }

  it('refuses a server whose first byte is not 3, at once, and says what it may be', () => {
    for (const first of [0, 2, 4, 6, 0x15, 0x48, 255]) {
      assert.throws(() => new ClientHandshake().feed(Buffer.of(first)), {
        name: 'RtmpError',
        code: 'rtmp_bad_handshake',
        message: new RegExp(`version ${first} where 3 was expected`),
      });
    }
  });

  it('takes any bytes, cut any way, without a crash', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 4 });
    fc.assert(
      fc.property(fc.boolean(), pieces, (valid, arrays) => {
        const handshake = new ClientHandshake();
        const all = arrays.map((array) => Buffer.from(array));
        if (valid) all.unshift(Buffer.of(3));
        try {
          for (const piece of all) if (handshake.feed(piece).done) break;
        } catch (error) {
          assert.ok(error instanceof RtmpError);
        }
      }),
    );
  });
});
