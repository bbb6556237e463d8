import { KmpError } from '../../../../lib/kmp/error.js';
import { AckParser } from '../../../../lib/kmp/ack-parser.js';
import { parseConnectData } from '../../../../lib/kmp/connect-data.js';
import type { KmpPacket } from '../../../../lib/kmp/packet.js';
import { KmpParser } from '../../../../lib/kmp/parser.js';
import { Frame } from '../../../../lib/media/frame.js';
import { concat, u32le, u64le } from '../../../support/values/bytes.js';
import { audioFields, connect, end, frame, nullPacket, packet, videoFields } from '../../../support/kmp/kmp-bytes.js';
import { cut, holds, refusal, type Target } from '../target.js';

const json = '{"upstream_id":"u1","url":"rtmp://h/app/s","opaque":"o","name":"n","app":"a","header":"h"}';

function parse(pieces: readonly Buffer[]): { packets: KmpPacket[]; error: KmpError | undefined } {
  const parser = new KmpParser();
  const packets: KmpPacket[] = [];
  let fed = 0;
  for (const piece of pieces) {
    if (parser.error !== undefined) break;
    packets.push(...parser.feed(piece));
    fed += piece.length;
    holds(parser.heldBytes <= fed, `${parser.heldBytes} bytes held of ${fed}`);
  }
  return { packets, error: parser.error };
}

/** All of the packets but how their payloads are cut. */
function shape(packets: readonly KmpPacket[]): string {
  const whole = packets.map((one) => {
    if (!(one instanceof Frame)) return one;
    const { created, dts, flags, ptsDelay, size } = one;
    return { created, dts, flags, ptsDelay, size, payload: one.payload() };
  });
  return JSON.stringify(whole, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

/** KMP packets: bytes cut anywhere give the same packets and the same error as whole ones. */
export const kmpPackets: Target = {
  name: 'kmp',
  words: ['cnct', 'minf', 'fram', 'null', 'eost', 'ackf'],
  seeds: () => [
    concat(connect(json), packet('minf', videoFields(), Buffer.from('avcC')), frame('key', 0, 1), frame('p', 40), end),
    concat(connect(json), packet('minf', audioFields(), Buffer.from('asc')), frame('a', 1), nullPacket, frame('b', 2)),
    concat(connect(json), packet('minf', concat(videoFields(), Buffer.alloc(9))), frame(Buffer.alloc(3000), 5, 1)),
    concat(connect('{}', 'c', 't', 0xffff_ffff_ffff_fffen), nullPacket, nullPacket),
  ],
  run(input, random) {
    const whole = parse([input]);
    const pieces = parse(cut(input, random));
    holds(shape(whole.packets) === shape(pieces.packets), 'cut input gives the same packets');
    holds(whole.error?.message === pieces.error?.message, 'cut input gives the same error');
    const kinds = whole.packets.map((one) => ('kind' in one ? one.kind : 'frame')).slice(0, 6);
    return `${kinds.join(' ')} ${whole.error === undefined ? '' : refusal(whole.error, KmpError)}`;
  },
};

/** Connect data: strings and nothing else, or an error that quotes nothing. */
export const connectData: Target = {
  name: 'connect-data',
  words: [
    'upstream_id',
    'url',
    'header',
    'opaque',
    'name',
    '__proto__',
    'constructor',
    '\\u0000',
    '\\ud800',
    'null',
    '{',
    '[',
    '"',
  ],
  seeds: () =>
    [
      json,
      '{"upstream_id":"\u{1f600}","url":"\\u0041"}',
      '{"upstream_id":1,"url":[]}',
      '{"__proto__":{"url":"x"}}',
      '[]',
    ].map((text) => Buffer.from(text)),
  run(input) {
    try {
      const data = parseConnectData(input);
      holds(data.upstreamId !== '' && data.url !== '', 'id and url are not empty');
      for (const value of Object.values(data)) holds(value === undefined || typeof value === 'string', 'a string');
      return `read ${Object.values(data).filter((value) => value !== undefined).length}`;
    } catch (error) {
      holds(!String(error).includes('rtmp://'), 'an error shows no url');
      return refusal(error, KmpError);
    }
  },
};

/** Acknowledgements, as a sender reads them. */
export const acks: Target = {
  name: 'acks',
  words: ['ackf'],
  seeds: () => {
    const fields = concat(u64le(7), u64le(0), u32le(0), u32le(0));
    return [
      packet('ackf', fields),
      concat(packet('ackf', concat(fields, Buffer.alloc(8)), Buffer.alloc(5)), packet('ackf', fields)),
    ];
  },
  run(input, random) {
    const read = (pieces: readonly Buffer[]): string => {
      const parser = new AckParser();
      const ids: bigint[] = [];
      try {
        for (const piece of pieces) ids.push(...parser.feed(piece).map(({ frameId }) => frameId));
        return `${ids.length} acks`;
      } catch (error) {
        return refusal(error, KmpError);
      }
    };
    const whole = read([input]);
    holds(whole === read(cut(input, random)), 'cut input gives the same');
    return whole;
  },
};
