import { randomBytes } from 'node:crypto';
import { RtmpError } from '../errors.js';
import type { HandshakeOptions, HandshakeStep } from './client.js';
import {
  CLIENT_KEY,
  DIGEST_SIZE,
  findDigest,
  HANDSHAKE_SIZE,
  RANDOM_AT,
  RTMP_VERSION,
  SERVER_KEY,
  signHello,
  signReply,
  VERSION_AT,
} from './digest.js';

/** S1's version towards clients that sign; towards others it is 0. */
const SERVER_VERSION = 0x0d0e0a0d;

const C1_END = 1 + HANDSHAKE_SIZE;
const C2_END = C1_END + HANDSHAKE_SIZE;
const NOTHING = Buffer.alloc(0);

/**
 * The server's half of the RTMP handshake, without a socket: feed what the client sends, send the `reply` (S0 S1 S2, once C1
 * is in), go on when `done` (C2 is in). A client that signs C1, at either scheme's place, gets the digest style with its own
 * scheme; all others the old style. What C2 says is not looked at: many clients sign C1 and then answer in the old style.
 */
export class ServerHandshake {
  private readonly random: (size: number) => Buffer;
  private readonly epoch: number;
  private readonly received = Buffer.alloc(C1_END);
  private length = 0;

  constructor(options: HandshakeOptions = {}) {
    this.random = options.random ?? randomBytes;
    this.epoch = options.epoch ?? 0;
  }

  /**
   * Takes the client's next bytes, cut anywhere. Not to be called again once `done`.
   *
   * @throws RtmpError `bad_handshake` if C0 is not version 3
   */
  feed(chunk: Buffer): HandshakeStep {
    const before = this.length;
    if (before < C1_END) chunk.copy(this.received, before);
    this.length = Math.min(C2_END, before + chunk.length);
    if (before === 0 && chunk.length > 0) this.checkVersion();
    const done = this.length === C2_END;
    const rest = done ? chunk.subarray(C2_END - before) : NOTHING;
    return before < C1_END && this.length >= C1_END ? { reply: this.reply(), done, rest } : { done, rest };
  }

  private checkVersion(): void {
    const version = this.received.readUInt8(0);
    if (version === RTMP_VERSION) return;
    throw new RtmpError('bad_handshake', `the client opened with version ${version} where RTMP's 3 was expected`);
  }

  private reply(): Buffer {
    const clientHello = this.received.subarray(1);
    const found = clientHello.readUInt32BE(VERSION_AT) === 0 ? undefined : findDigest(clientHello, CLIENT_KEY);
    const hello = Buffer.alloc(HANDSHAKE_SIZE);
    hello.writeUInt32BE(this.epoch >>> 0, 0);
    this.random(HANDSHAKE_SIZE - RANDOM_AT).copy(hello, RANDOM_AT);
    if (found === undefined) return Buffer.concat([Buffer.of(RTMP_VERSION), hello, clientHello]);
    hello.writeUInt32BE(SERVER_VERSION, VERSION_AT);
    signHello(hello, found.scheme, SERVER_KEY);
    const answer = signReply(this.random(HANDSHAKE_SIZE - DIGEST_SIZE), found.digest, SERVER_KEY);
    return Buffer.concat([Buffer.of(RTMP_VERSION), hello, answer]);
  }
}
