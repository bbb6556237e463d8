import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RtmpError } from '../../../../lib/rtmp/errors.js';
import { ClientHandshake, type HandshakeStep } from '../../../../lib/rtmp/handshake/client.js';
import { ServerHandshake } from '../../../../lib/rtmp/handshake/server.js';
import { signedS1 } from '../../../support/ingest/script-bytes.js';
import { cut, holds, refusal, type Target } from '../target.js';

const HANDSHAKE = 1536;
const fixture = (name: string): Buffer => readFileSync(join('spec', 'fixtures', 'rtmp', name));

interface Side {
  feed(chunk: Buffer): HandshakeStep;
}

/** Feeds until done: exactly one reply, of the right size, and every byte behind the handshake handed back. */
function shake(side: Side, input: Buffer, pieces: readonly Buffer[], replySize: number): string {
  let replies = 0;
  let fed = 0;
  try {
    for (const piece of pieces) {
      const { reply, done, rest } = side.feed(piece);
      fed += piece.length;
      if (reply !== undefined) {
        replies++;
        holds(reply.length === replySize, `a reply of ${reply.length} bytes`);
      }
      if (!done) continue;
      holds(fed - rest.length === 1 + 2 * HANDSHAKE, `done after ${fed - rest.length} bytes`);
      holds(replies === 1, `${replies} replies`);
      return 'done';
    }
  } catch (error) {
    return refusal(error, RtmpError);
  }
  holds(input.length < 1 + 2 * HANDSHAKE, 'not done with all bytes there');
  return `waiting, ${replies} replies`;
}

/** The first bytes of a server, as the publisher reads them. */
export const handshakeClient: Target = {
  name: 'handshake-client',
  share: 5,
  seeds: () => [
    fixture('handshake-nginx-server.bin'),
    ...([0, 1] as const).map((scheme) => Buffer.concat([Buffer.of(3), signedS1(scheme), Buffer.alloc(HANDSHAKE + 9)])),
    Buffer.concat([Buffer.of(3), Buffer.alloc(2 * HANDSHAKE)]),
    Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  ],
  run: (input, random) =>
    shake(new ClientHandshake({ random: (size) => Buffer.alloc(size) }), input, cut(input, random), 1536),
};

/** The first bytes of a client, as the ingest reads them. */
export const handshakeServer: Target = {
  name: 'handshake-server',
  share: 5,
  seeds: () => [
    ...['handshake-ffmpeg-client.bin', 'handshake-nginx-client.bin'].map((name) =>
      Buffer.concat([fixture(name), Buffer.alloc(5)]),
    ),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ],
  run: (input, random) =>
    shake(new ServerHandshake({ random: (size) => Buffer.alloc(size) }), input, cut(input, random), 3073),
};
