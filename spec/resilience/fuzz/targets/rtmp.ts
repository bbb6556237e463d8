import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAmf0, type AmfValue } from '../../../../lib/rtmp/amf0/amf0-reader.js';
import { writeAmf0 } from '../../../../lib/rtmp/amf0/amf0-writer.js';
import { ChunkReader, type RtmpMessage } from '../../../../lib/rtmp/chunk/chunk-reader.js';
import { RtmpError } from '../../../../lib/rtmp/errors.js';
import { ServerReader } from '../../../../lib/rtmp/server-reader.js';
import { IngestSession } from '../../../../lib/ingest/session.js';
import { IngestStream } from '../../../../lib/ingest/ingest-stream.js';
import { amf, chunked, u32 } from '../../../support/ingest/script-bytes.js';
import { cut, holds, refusal, type Target } from '../target.js';

const command = (...values: Parameters<typeof amf>[0][]): Buffer => Buffer.concat(values.map(amf));
const status = { level: 'error', code: 'NetStream.Publish.BadName', description: 'taken' };
const redirect = { ...status, ex: { code: 302, redirect: 'rtmp://other/app' } };

/** What servers say: one of each message. */
function replies(): Buffer[] {
  const answers = [
    { type: 5, payload: u32(2_500_000) },
    { type: 6, payload: Buffer.concat([u32(2_500_000), Buffer.of(2)]) },
    { type: 4, payload: Buffer.concat([Buffer.of(0, 6), u32(9)]) },
    {
      type: 20,
      payload: command('_result', 1, { fmsVer: 'FMS/3', capabilities: 31 }, { code: 'NetConnection.Connect.Success' }),
    },
    { type: 20, payload: command('_result', 2, null, 1) },
    { type: 20, payload: command('onStatus', 0, null, status), streamId: 1 },
  ];
  const refused = [
    { type: 20, payload: command('_error', 1, null, redirect) },
    { type: 17, payload: Buffer.concat([Buffer.of(0), command('onStatus', 0, null, [status, true, undefined, 1.5])]) },
  ];
  return [answers, refused].flatMap((list) =>
    [128, 4096].map((size) =>
      Buffer.concat([
        ...(size === 128 ? [] : [chunked({ type: 1, payload: u32(size) }, 128)]),
        ...list.map((message) => chunked(message, size)),
      ]),
    ),
  );
}

/** The beginning of a publisher's recording, behind its handshake. */
function recording(name: string): Buffer {
  return readFileSync(join('spec', 'golden', 'data', name, 'expected.1.rtmp')).subarray(3073, 3073 + 4000);
}

const words = [
  '_result',
  '_error',
  'onStatus',
  'connect',
  'publish',
  'createStream',
  '\x00\x00\x09',
  '\x03',
  '\x0a',
  '\x07',
  '\x08',
];

/** Server replies to events: never an exception, memory within twice the longest message. */
export const serverReplies: Target = {
  name: 'server-replies',
  words,
  seeds: replies,
  run(input, random) {
    const read = (pieces: readonly Buffer[]): string[] => {
      const reader = new ServerReader({ maxMessageSize: 65536 });
      const events = pieces.flatMap((piece) => reader.feed(piece));
      holds(reader.heldBytes <= 2 * 65536 + 32, `${reader.heldBytes} bytes held`);
      // Acks that are due depend on how the input was cut.
      return events.map((event) => event.kind).filter((kind) => kind !== 'ackDue');
    };
    const whole = read([input]);
    holds(whole.join() === read(cut(input, random)).join(), 'cut input gives the same events');
    return whole.slice(0, 8).join(' ');
  },
};

/** A fault with no message before it is thrown at once. */
function feed(reader: ChunkReader, piece: Buffer): RtmpMessage[] {
  try {
    return reader.feed(piece);
  } catch (error) {
    if (error !== reader.failure) throw error;
    return [];
  }
}

/** Chunks to messages: the same however they are cut, and a memory that follows the bytes. */
export const chunks: Target = {
  name: 'chunks',
  words,
  seeds: () => [...replies(), recording('av'), recording('chunk-128')],
  run(input, random) {
    const read = (pieces: readonly Buffer[]): { messages: RtmpMessage[]; outcome: string } => {
      const reader = new ChunkReader({ maxHeldBytes: 40_000, maxStreams: 16 });
      const messages: RtmpMessage[] = [];
      for (const piece of pieces) {
        if (reader.failure !== undefined) break;
        messages.push(...feed(reader, piece));
        holds(reader.heldBytes <= 40_018, `${reader.heldBytes} bytes held`);
      }
      return { messages, outcome: reader.failure === undefined ? '' : refusal(reader.failure, RtmpError) };
    };
    const whole = read([input]);
    const pieces = read(cut(input, random));
    // How much is held at a time depends on the cuts, and so does where a limit on that is met.
    if (!whole.outcome.includes('rtmp_too_much_held') && !pieces.outcome.includes('rtmp_too_much_held')) {
      holds(JSON.stringify(whole) === JSON.stringify(pieces), 'cut input gives the same messages');
    }
    return `${whole.messages
      .map(({ type }) => type)
      .slice(0, 8)
      .join(' ')} ${whole.outcome}`;
  },
};

function count(value: AmfValue, depth = 0): number {
  holds(depth <= 17, `${depth} levels`);
  if (typeof value !== 'object' || value === null || value instanceof Date) return 1;
  const inner = Array.isArray(value) ? value : Object.values(value);
  return inner.reduce<number>((sum, one) => sum + count(one, depth + 1), 1);
}

/** AMF0: values within the limits, also where references repeat them. */
export const amf0: Target = {
  name: 'amf0',
  words: [...words, '\x10\x00\x01a', '\x0b', '\x0c\x00\x00\x00\x02ab', '__proto__'],
  seeds: () => [
    command('connect', 1, { app: 'live', list: [1, 'two', null, { deep: [[]] }], yes: true }),
    command(redirect, [status, [status]], undefined),
    Buffer.from('0a000000020a000000020700000007000107000100000', 'hex'),
  ],
  run(input) {
    try {
      const values = readAmf0(input, { maxDepth: 16, maxValues: 4096 });
      const total = values.reduce<number>((sum, value) => sum + count(value), 0);
      holds(total <= 4096, `${total} values`);
      return `${values.length} of ${total}`;
    } catch (error) {
      return refusal(error, RtmpError);
    }
  },
};

const flow = { pause: (): void => {}, resume: (): void => {}, refuse: (): void => {} };

/** What a publisher sends to the built-in ingest. */
export const ingestSession: Target = {
  name: 'ingest-session',
  words: [...words, 'deleteStream', 'FCUnpublish', 'closeStream', 'app', 'live'],
  seeds: () => [
    recording('av').subarray(0, 2500),
    Buffer.concat(
      [
        { type: 20, payload: command('connect', 1, { app: 'live' }) },
        { type: 20, payload: command('createStream', 2, null) },
        { type: 20, payload: command('publish', 3, null, 'name', 'live'), streamId: 1 },
        { type: 9, payload: Buffer.from('1700000000', 'hex'), streamId: 1 },
        { type: 20, payload: command('deleteStream', 4, null, 1) },
      ].map((message) => chunked(message, 128)),
    ),
  ],
  run(input) {
    const replies: number[] = [];
    let published = 0;
    const session = new IngestSession(
      {
        reply: ({ type }) => void replies.push(type),
        connect: () => undefined,
        publish: (request) => {
          published++;
          return new IngestStream({ ...request, remoteAddress: '127.0.0.1:1', connection: 1 }, flow);
        },
        refused: () => {},
      },
      { chunkSize: 4096, window: 2_500_000 },
    );
    const reader = new ChunkReader({ maxMessageSize: 1 << 20 });
    try {
      for (const message of reader.feed(input)) void session.take(message);
    } catch (error) {
      return refusal(error, RtmpError);
    } finally {
      session.end('closed');
    }
    holds(replies.length <= input.length, `${replies.length} replies`);
    return `${published} published, replies ${replies.slice(0, 8).join(' ')}`;
  },
};

/** A text that we are given is written as it is, whatever it holds; what cannot be written is refused. */
export const amf0Writer: Target = {
  name: 'amf0-writer',
  words: ['\u0000', '\u{1f600}'],
  seeds: () => ['name', 'live_123?x=1', 'x'.repeat(5000)].map((text) => Buffer.from(text)),
  run(input) {
    const text = input.toString('utf8');
    try {
      const [back] = readAmf0(writeAmf0(text));
      holds(back === text, 'text is read as it was written');
      return 'written';
    } catch (error) {
      return refusal(error, RtmpError);
    }
  },
};
