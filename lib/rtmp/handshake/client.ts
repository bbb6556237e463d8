import { randomBytes } from 'node:crypto';
import { RtmpError } from '../errors.js';
import {
  CLIENT_KEY,
  DIGEST_SIZE,
  findDigest,
  HANDSHAKE_SIZE,
  RANDOM_AT,
  RTMP_VERSION,
  SCHEME_1,
  SERVER_KEY,
  signHello,
  signReply,
  VERSION_AT,
} from './digest.js';

/** Version field of C1 (docs/protocol/rtmp.md, Handshake); any value but 0 offers the digest style. */
const CLIENT_VERSION = 0x0c000d0e;

const S1_END = 1 + HANDSHAKE_SIZE;
const S2_END = S1_END + HANDSHAKE_SIZE;

export interface HandshakeOptions {
  /** Source of the filler bytes; default `crypto.randomBytes`. */
  readonly random?: (size: number) => Buffer;
  /** Time field of C1, ms modulo 2^32; default 0. */
  readonly epoch?: number;
}

/** Result of one step of the handshake. */
export interface HandshakeStep {
  /** C2, to be sent at once; set in the step that completes S1. */
  readonly reply?: Buffer;
  /** True once S2 is complete. */
  readonly done: boolean;
  /** The bytes behind S2, which belong to the first chunks; empty until `done`. */
  readonly rest: Buffer;
}

const NOTHING = Buffer.alloc(0);

/**
 * The client side of the RTMP handshake, without a socket (docs/protocol/rtmp.md, Handshake): send {@link hello},
 * feed the bytes of the server, send the `reply`, and continue when `done`. C2 goes out as soon as S1 is complete:
 * some servers send S2 only then.
 */
export class ClientHandshake {
  private readonly random: (size: number) => Buffer;
  private readonly epoch: number;
  private readonly received = Buffer.alloc(S2_END);
  private length = 0;

  constructor(options: HandshakeOptions = {}) {
    this.random = options.random ?? randomBytes;
    this.epoch = options.epoch ?? 0;
  }

  /** C0 and C1, 1537 bytes. */
  hello(): Buffer {
    const block = Buffer.alloc(HANDSHAKE_SIZE);
    block.writeUInt32BE(this.epoch >>> 0, 0);
    block.writeUInt32BE(CLIENT_VERSION, VERSION_AT);
    this.random(HANDSHAKE_SIZE - RANDOM_AT).copy(block, RANDOM_AT);
    signHello(block, SCHEME_1, CLIENT_KEY);
    return Buffer.concat([Buffer.of(RTMP_VERSION), block]);
  }

  /**
   * Takes the next bytes of the server, cut anywhere. Must not be called again once `done`.
   *
   * @throws RtmpError `rtmp_bad_handshake` if S0 is not version 3
   */
  feed(chunk: Buffer): HandshakeStep {
    const before = this.length;
    const taken = chunk.copy(this.received, before);
    this.length += taken;
    if (before === 0 && taken > 0) this.checkVersion();
    const done = this.length === S2_END;
    const rest = done ? chunk.subarray(taken) : NOTHING;
    return before < S1_END && this.length >= S1_END ? { reply: this.reply(), done, rest } : { done, rest };
  }

  private checkVersion(): void {
    const version = this.received.readUInt8(0);
    if (version === RTMP_VERSION) return;
    throw new RtmpError(
      'rtmp_bad_handshake',
      `the server answered the RTMP handshake with version ${version} where 3 was expected: ` +
        'check that this is the port of an RTMP server, and whether the server needs rtmps://',
    );
  }

  private reply(): Buffer {
    const serverHello = this.received.subarray(1, S1_END);
    const oldStyle = serverHello.readUInt32BE(VERSION_AT) === 0;
    const found = oldStyle ? undefined : findDigest(serverHello, SERVER_KEY);
    if (found === undefined) return Buffer.from(serverHello);
    return signReply(this.random(HANDSHAKE_SIZE - DIGEST_SIZE), found.digest, CLIENT_KEY);
  }
}
