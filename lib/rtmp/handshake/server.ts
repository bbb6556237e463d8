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

/** Version field of S1 for clients that sign C1; for others it is 0. */
const SERVER_VERSION = 0x0d0e0a0d;

const C1_END = 1 + HANDSHAKE_SIZE;
const C2_END = C1_END + HANDSHAKE_SIZE;
const NOTHING = Buffer.alloc(0);

/**
 * The server side of the RTMP handshake, without a socket: feed the bytes of the client, send the `reply` (S0 S1 S2,
 * once C1 is complete), and continue when `done` (C2 is complete). A client that signs C1, with either scheme, gets
 * the digest style with the same scheme; all others get the old style. C2 is not checked: many clients sign C1 and
 * then answer in the old style.
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
   * Takes the next bytes of the client, cut anywhere. Must not be called again once `done`.
   *
   * @throws RtmpError `rtmp_bad_handshake` if C0 is not version 3
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
    throw new RtmpError('rtmp_bad_handshake', `the client began the RTMP handshake with version ${version}, not 3`);
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
