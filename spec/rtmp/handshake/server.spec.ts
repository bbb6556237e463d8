import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { RtmpError } from '../../../lib/rtmp/errors.js';
import { ClientHandshake } from '../../../lib/rtmp/handshake/client.js';
import { ServerHandshake } from '../../../lib/rtmp/handshake/server.js';
import { hex } from '../../support/values/bytes.js';

const fixture = (name: string) => readFileSync(`spec/fixtures/rtmp/${name}`);
const nginxClient = fixture('handshake-nginx-client.bin');
const nginxServer = fixture('handshake-nginx-server.bin');
const ffmpegClient = fixture('handshake-ffmpeg-client.bin');

const NAME = 'Genuine Adobe Flash Media Server 001';
const KEY = Buffer.concat([Buffer.from(NAME), hex('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae')]);

/** The digest of a C1 or S1, at scheme 1's place unless told otherwise. */
function digestOf(block: Buffer, from = 8): { at: number; digest: Buffer } {
  const at = from + 4 + ([0, 1, 2, 3].reduce((sum, i) => sum + block.readUInt8(from + i), 0) % 728);
  return { at, digest: block.subarray(at, at + 32) };
}

function assertSigned(reply: Buffer, clientDigest: Buffer): void {
  assert.equal(reply.length, 3073);
  assert.equal(reply[0], 3);
  const s1 = reply.subarray(1, 1537);
  const { at, digest } = digestOf(s1);
  const around = createHmac('sha256', NAME)
    .update(s1.subarray(0, at))
    .update(s1.subarray(at + 32));
  assert.deepEqual(around.digest(), digest, 'S1 is signed');
  const inner = createHmac('sha256', KEY).update(clientDigest).digest();
  const proof = createHmac('sha256', inner).update(reply.subarray(1537, 3041)).digest();
  assert.deepEqual(proof, reply.subarray(3041), 'S2 is signed');
}

describe('ServerHandshake', () => {
  it('writes the S0 S1 S2 that nginx wrote, given its filler and time', () => {
    const fillers = [nginxServer.subarray(9, 1537), nginxServer.subarray(1537, 3041)];
    const random = () => fillers.shift() ?? Buffer.alloc(0);
    const handshake = new ServerHandshake({ random, epoch: nginxServer.readUInt32BE(1) });
    const step = handshake.feed(nginxClient);
    assert.deepEqual(step.reply, nginxServer);
    assert.equal(step.done, true);
  });

  it('signs towards FFmpeg, whose C2 is in the old style', () => {
    const tail = Buffer.from('first chunk');
    const step = new ServerHandshake().feed(Buffer.concat([ffmpegClient, tail]));
    assert.ok(step.reply !== undefined);
    assertSigned(step.reply, digestOf(ffmpegClient.subarray(1, 1537)).digest);
    assert.deepEqual([step.done, step.rest], [true, tail]);
  });

  it('signs with scheme 0 towards a client that does', () => {
    const c1 = Buffer.alloc(1536, 9);
    const { at } = digestOf(c1, 772);
    const mac = createHmac('sha256', 'Genuine Adobe Flash Player 001');
    mac.update(c1.subarray(0, at)).update(c1.subarray(at + 32));
    mac.digest().copy(c1, at);
    const { reply } = new ServerHandshake().feed(Buffer.concat([Buffer.of(3), c1]));
    assert.ok(reply !== undefined);
    const s1 = reply.subarray(1, 1537);
    const found = digestOf(s1, 772);
    const around = createHmac('sha256', NAME)
      .update(s1.subarray(0, found.at))
      .update(s1.subarray(found.at + 32));
    assert.deepEqual(around.digest(), found.digest);
  });

  for (const [name, c1] of [
    ['version 0', Buffer.alloc(1536)],
    ['a version, but no digest', Buffer.alloc(1536, 0x33)],
  ] as const) {
    it(`answers ${name} in the old style: version 0, and S2 is C1`, () => {
      const { reply } = new ServerHandshake({ epoch: 7 }).feed(Buffer.concat([Buffer.of(3), c1]));
      assert.equal(reply?.length, 3073);
      assert.equal(reply.subarray(0, 9).toString('hex'), '030000000700000000');
      assert.deepEqual(reply.subarray(1537), c1);
    });
  }

  it('takes the bytes cut anywhere', () => {
    const tail = hex('02000000');
    const whole = Buffer.concat([ffmpegClient, tail]);
    for (let cut = 0; cut < ffmpegClient.length; cut += 1) {
      const handshake = new ServerHandshake();
      const steps = [handshake.feed(whole.subarray(0, cut)), handshake.feed(whole.subarray(cut))];
      assert.deepEqual(
        steps.map(({ done }) => done),
        [false, true],
      );
      assert.equal(
        steps.findIndex(({ reply }) => reply !== undefined),
        cut < 1537 ? 1 : 0,
      );
      assert.deepEqual(steps[1]?.rest, tail);
    }
  });

  it('agrees with our client, byte by byte', () => {
    const client = new ClientHandshake();
    const server = new ServerHandshake();
    let answer: Buffer | undefined;
    for (const byte of client.hello()) answer = server.feed(Buffer.of(byte)).reply ?? answer;
    assert.ok(answer !== undefined);
    const step = client.feed(answer);
    assert.ok(step.done && step.reply !== undefined);
    assert.notDeepEqual(step.reply, answer.subarray(1, 1537), 'in the digest style');
    assert.equal(server.feed(step.reply).done, true);
  });

  it('refuses encrypted RTMP, TLS and HTTP at the first byte', () => {
    for (const first of [6, 0x16, 0x47, 0]) {
      assert.throws(() => new ServerHandshake().feed(Buffer.of(first)), { code: 'rtmp_bad_handshake' });
    }
  });

  it('takes any bytes without a crash', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2500 }), { maxLength: 4 }), (arrays) => {
        const handshake = new ServerHandshake();
        try {
          handshake.feed(Buffer.of(3));
          for (const array of arrays) if (handshake.feed(Buffer.from(array)).done) break;
        } catch (error) {
          assert.ok(error instanceof RtmpError);
        }
      }),
    );
  });
});
