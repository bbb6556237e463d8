import type { TlsOptions } from 'node:tls';
import type { Amf } from '../rtmp/rtmp-parse.js';

export interface Status {
  readonly code: string;
  readonly description: string;
  /** Default `error`. */
  readonly level?: string;
  /** Further fields of the info object. */
  readonly more?: { readonly [key: string]: Amf };
}

/** What the server says. Every field has a default, and the defaults together are the golden ingest. */
export interface Script {
  /** rtmps with this key and certificate. */
  readonly tls?: TlsOptions;
  /** Bytes that come ahead of C0 (the `header` of the connect data). */
  readonly headerLength?: number;
  /** S1: zeros with version 0 (default), signed at a scheme's place, or a version with no digest anywhere. */
  readonly s1?: 'zeros' | 'scheme-0' | 'scheme-1' | 'unsigned';
  /** Holds S2 back until C2 is in. */
  readonly s2AfterC2?: boolean;
  /** Says nothing more from there on: `nothing` not even S0, `s0`, half of S1, all of S1, half of S2. */
  readonly stallAt?: 'nothing' | 's0' | 'half-s1' | 's1' | 'half-s2';
  /** Sent in the place of S0 S1 S2. */
  readonly insteadOfHandshake?: Buffer;
  /** Sent right behind S2, in the same write. */
  readonly behindHandshake?: Buffer;
  /** Whether commands are answered; default false. */
  readonly answers?: boolean;
  /** Commands that are not answered, or by the spec itself. */
  readonly unanswered?: readonly ('connect' | 'createStream' | 'publish')[];
  /**
   * The ids of createStream's answers: always 1, counting up (default), FFmpeg's, or as given (the last one repeats).
   */
  readonly streamIds?: 'one' | 'count' | '1,3,4' | readonly number[];
  /** Answers connect with `_error`; a function may decide by the attempt's number (0 ...) and connect's object. */
  readonly rejectConnect?: Status | ((attempt: number, connect: { [key: string]: Amf }) => Status | undefined);
  /** Answers publish with this onStatus. */
  readonly rejectPublish?: Status | ((attempt: number, name: string) => Status | undefined);
  /** Answers createStream with `_error`. */
  readonly rejectCreateStream?: Status;
  /** Answers connect with a 302 to there. */
  readonly redirect?: string;
  /** User names and passwords are asked for, by this method. */
  readonly auth?: { readonly method: 'adobe' | 'llnw'; readonly user: string; readonly password: string };
  /** Sent ahead of connect's answer. */
  readonly windowAckSize?: number;
  readonly peerBandwidth?: { readonly window: number; readonly limitType: number };
  /** Set Chunk Size sent ahead of connect's answer, and obeyed from there on. */
  readonly chunkSize?: number;
  /** Closes (`end`) or resets once that many bytes are in behind the handshake. */
  readonly cutAfter?: { readonly bytes: number; readonly how: 'end' | 'reset' };
  /** `never`: not a byte is read after the handshake. A number: so many bytes every 10 ms. */
  readonly reads?: 'never' | number;
  /** The bytes after the handshake do not have to be RTMP: they are not parsed. */
  readonly anyBytes?: boolean;
  /** Keep neither raw bytes nor messages (for specs with much data); default false. */
  readonly forget?: boolean;
}
