import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ServerReader, type ServerEvent } from '../../lib/rtmp/server-reader.js';
import { concat, hex, u24be } from '../support/values/bytes.js';
import { everyCut } from '../support/values/cuts.js';
import type { Amf } from '../support/rtmp/rtmp-parse.js';
import { amf, chunked } from '../support/ingest/script-bytes.js';

function commandBytes(streamId: number, ...values: Amf[]): Buffer {
  return chunked({ type: 20, streamId, payload: concat(...values.map(amf)) }, 128);
}

const control = (type: number, payload: string) => chunked({ type, payload: hex(payload) }, 128);

/** Compared by content: what AMF gives has no prototype. */
function plain(events: ServerEvent[]): unknown {
  return JSON.parse(JSON.stringify(events));
}

function events(...chunks: Buffer[]): unknown {
  const reader = new ServerReader();
  return plain(chunks.flatMap((chunk) => reader.feed(chunk)));
}

const rejected = { level: 'error', code: 'NetConnection.Connect.Rejected', description: 'no' };

const rows: { name: string; bytes: Buffer; events: unknown[] }[] = [
  {
    name: 'the answer to connect, as by hand',
    bytes: hex(`03 000000 00003c 14 00000000 02 0007 5f726573756c74 00 3ff0000000000000
      03 0006 666d73566572 02 0001 78 000009  03 0004 636f6465 02 0004 6e616d65 0005 6c6576656c 06 000009`),
    events: [{ kind: 'result', transaction: 1, object: { fmsVer: 'x' }, info: { code: 'name' } }],
  },
  {
    name: 'the answer to createStream',
    bytes: commandBytes(0, '_result', 4, null, 1),
    events: [{ kind: 'result', transaction: 4, object: null, info: 1 }],
  },
  {
    name: 'a refused connect',
    bytes: commandBytes(0, '_error', 1, null, rejected),
    events: [{ kind: 'error', transaction: 1, info: rejected, ...rejected }],
  },
  {
    name: 'a refused connect without the null',
    bytes: commandBytes(0, '_error', 1, rejected),
    events: [{ kind: 'error', transaction: 1, info: rejected, ...rejected }],
  },
  {
    name: 'an error with nothing to it',
    bytes: commandBytes(0, '_error', 7),
    events: [{ kind: 'error', transaction: 7, level: '', code: '', description: '' }],
  },
  {
    name: 'a redirect',
    bytes: commandBytes(0, '_error', 1, null, { ...rejected, ex: { code: 302, redirect: 'rtmp://b.example/app' } }),
    events: [{ kind: 'redirect', transaction: 1, url: 'rtmp://b.example/app', ...rejected }],
  },
  {
    name: 'a redirect whose code is text',
    bytes: commandBytes(0, '_error', 1, null, { ...rejected, ex: { code: '302', redirect: 'rtmp://b.example/app' } }),
    events: [{ kind: 'redirect', transaction: 1, url: 'rtmp://b.example/app', ...rejected }],
  },
  {
    name: 'a status on a message stream',
    bytes: commandBytes(3, 'onStatus', 0, null, {
      level: 'status',
      code: 'NetStream.Publish.Start',
      description: 'ok',
    }),
    events: [
      {
        kind: 'status',
        streamId: 3,
        info: { level: 'status', code: 'NetStream.Publish.Start', description: 'ok' },
        ...{ level: 'status', code: 'NetStream.Publish.Start', description: 'ok' },
      },
    ],
  },
  {
    name: 'a request to reconnect elsewhere',
    bytes: commandBytes(0, 'onStatus', 0, null, {
      level: 'status',
      code: 'NetConnection.Connect.ReconnectRequest',
      tcUrl: 'rtmp://b.example/app',
      description: 'maintenance',
    }),
    events: [{ kind: 'reconnectRequest', tcUrl: 'rtmp://b.example/app', description: 'maintenance' }],
  },
  {
    name: 'a request to reconnect to the same place',
    bytes: commandBytes(0, 'onStatus', 0, null, { level: 'status', code: 'NetConnection.Connect.ReconnectRequest' }),
    events: [{ kind: 'reconnectRequest' }],
  },
  { name: 'a ping', bytes: control(4, '0006 00000abc'), events: [{ kind: 'ping', timestamp: 0xabc }] },
  { name: 'an acknowledgement', bytes: control(3, 'ffffffff'), events: [{ kind: 'ack', sequence: 0xffffffff }] },
  {
    name: 'stream begin and end',
    bytes: concat(control(4, '0000 00000001'), control(4, '0001 00000001')),
    events: [
      { kind: 'streamBegin', streamId: 1 },
      { kind: 'streamEof', streamId: 1 },
    ],
  },
  {
    name: 'Set Chunk Size, obeyed',
    bytes: concat(
      control(1, '00000003'),
      chunked({ type: 20, payload: concat(amf('_result'), amf(2), amf(null), amf('x'.repeat(50))) }, 3),
    ),
    events: [{ kind: 'result', transaction: 2, object: null, info: 'x'.repeat(50) }],
  },
  {
    name: 'nothing to us: other commands, data, media, unknown types and events, pong, buffer length',
    bytes: concat(
      commandBytes(0, 'onBWDone', 0, null, 8192),
      commandBytes(0, 'close', 0),
      control(18, '02 0001 61'),
      control(8, 'af01'),
      control(99, '00'),
      control(4, '0007 00000001'),
      control(4, '0020 00000001'),
      control(4, '0003 00000001 00000001'),
    ),
    events: [],
  },
];

describe('ServerReader', () => {
  for (const { name, bytes, events: expected } of rows) {
    it(`hears: ${name}`, () => {
      for (const { name: cut, chunks } of everyCut(bytes)) assert.deepEqual(events(...chunks), expected, cut);
    });
  }

  it('passes over what it cannot read, and says so', () => {
    const heard = new ServerReader().feed(
      concat(control(20, '04'), control(5, '0000'), control(4, '00'), control(4, '0006 00000001')),
    );
    assert.deepEqual(
      heard.map((event) => (event.kind === 'unreadable' ? event.error.code : event.kind)),
      ['rtmp_bad_amf', 'rtmp_bad_message', 'rtmp_bad_message', 'ping'],
    );
  });

  it('ends with broken where the chunks make no sense, after all that came before', () => {
    const reader = new ServerReader();
    const heard = reader.feed(concat(control(4, '0006 00000001'), hex('c9 00')));
    assert.deepEqual(
      heard.map(({ kind }) => kind),
      ['ping', 'broken'],
    );
    assert.deepEqual(reader.feed(control(4, '0006 00000001')), []);
  });

  it('takes an HTTP answer for what it is: nothing to follow', () => {
    const heard = new ServerReader().feed(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    assert.deepEqual(
      heard.map(({ kind }) => kind),
      ['broken'],
    );
  });

  it('refuses messages that no server would send to a publisher', () => {
    const [event] = new ServerReader().feed(hex('03 000000 100001 14 00000000'));
    assert.equal(event?.kind === 'broken' && event.error.code, 'rtmp_message_too_big');
  });

  it('lets a server say 2000 things at once and 500 a second, 8 more for each stream that it is to create', () => {
    const says = (count: number): Buffer => concat(...Array<Buffer>(count).fill(hex('02 000000 000000 03 00000000')));
    const kinds = (reader: ServerReader, count: number): string[] => reader.feed(says(count)).map(({ kind }) => kind);
    let now = 0;
    const reader = new ServerReader({ now: () => now });
    assert.ok(!kinds(reader, 2000).includes('broken'));
    now += 1000;
    assert.ok(!kinds(reader, 500).includes('broken'));
    reader.expectStream();
    assert.ok(!kinds(reader, 8).includes('broken'));
    assert.deepEqual(kinds(reader, 1), ['broken']);
    now += 60_000;
    assert.deepEqual(kinds(reader, 1), [], 'nothing comes after that');
  });

  it('keeps texts short, on one line and free of control characters', () => {
    const description = `a\nb\x1b[2Jc\u0085${'d'.repeat(5000)}`;
    const [event] = new ServerReader().feed(commandBytes(0, '_error', 1, null, { ...rejected, description }));
    assert.ok(event?.kind === 'error');
    assert.equal(event.description, `a b [2Jc ${'d'.repeat(1024 - 9)}`);
  });

  it('is not led elsewhere by a redirect that is no text, too long, or of several lines', () => {
    const redirects: Amf[] = [1, '', {}, null, `rtmp://${'x'.repeat(1024)}/`, 'rtmp://a/b\r\nHost: c'];
    for (const redirect of redirects) {
      const bytes = commandBytes(0, '_error', 1, null, { ...rejected, ex: { code: 302, redirect } });
      assert.deepEqual(
        new ServerReader().feed(bytes).map(({ kind }) => kind),
        ['error'],
      );
    }
    const odd = commandBytes(0, '_error', 1, null, { ...rejected, ex: { code: {}, redirect: 'rtmp://a/b' } });
    assert.equal(new ServerReader().feed(odd)[0]?.kind, 'error');
  });

  describe('acknowledgements', () => {
    const acks = (list: ServerEvent[]) => list.flatMap((event) => (event.kind === 'ackDue' ? [event.sequence] : []));
    /** An unknown message of 112 bytes, header included. */
    const filler = chunked({ type: 99, payload: Buffer.alloc(100) }, 128);

    it('are due each window, with all bytes that came', () => {
      const reader = new ServerReader();
      assert.deepEqual(acks(reader.feed(filler)), [], 'no window, no acknowledgement');
      const window = control(5, '000000c8');
      assert.deepEqual(plain(reader.feed(window)), [{ kind: 'windowAckSize', window: 200 }]);
      assert.deepEqual(acks(reader.feed(filler)), [240]);
      assert.deepEqual(acks(reader.feed(filler)), []);
      assert.deepEqual(acks(reader.feed(concat(filler, filler))), [576]);
      assert.equal(reader.receivedBytes, 576);
    });

    it('are due once for many windows that came at once', () => {
      const reader = new ServerReader();
      reader.feed(control(5, '0000000a'));
      assert.deepEqual(acks(reader.feed(concat(filler, filler, filler))), [16 + 336]);
    });

    it('go on past 4 GiB, modulo 2^32', () => {
      let now = 0;
      const reader = new ServerReader({ now: () => now });
      reader.feed(concat(control(5, '80000000'), control(1, '00ffffff')));
      const piece = Buffer.alloc(0xfff00, 0);
      // A message of an unknown type, with its header as long as the piece.
      concat(hex('03 000000'), u24be(piece.length - 12), hex('63 00000000')).copy(piece);
      const due: number[] = [];
      for (let i = 0; i < 6200; i++, now += 8) due.push(...acks(reader.feed(piece)));
      assert.equal(reader.receivedBytes, 32 + 6200 * 0xfff00);
      assert.ok(reader.receivedBytes > 1.5 * 2 ** 32);
      const pieces = Math.ceil((0x80000000 - 32) / 0xfff00);
      const first = 32 + pieces * 0xfff00;
      const step = Math.ceil(0x80000000 / 0xfff00) * 0xfff00;
      assert.deepEqual(due, [first, (first + step) % 2 ** 32, (first + 2 * step) % 2 ** 32]);
    });
  });

  it('says what window to announce after Set Peer Bandwidth', () => {
    const reader = new ServerReader();
    const announced = (window: string, limit: string) => {
      const [event] = reader.feed(control(6, window + limit));
      return event?.kind === 'peerBandwidth' ? event.announce : 'none';
    };
    assert.equal(announced('00000064', '02'), undefined, 'dynamic with nothing before it');
    assert.equal(announced('00000064', '01'), 100, 'soft, the first');
    assert.equal(announced('000000c8', '01'), undefined, 'soft never raises');
    assert.equal(announced('00000032', '01'), 50, 'soft lowers');
    assert.equal(announced('000000c8', '02'), undefined, 'dynamic behind soft');
    assert.equal(announced('000000c8', '00'), 200, 'hard');
    assert.equal(announced('000000c8', '00'), undefined, 'the same again');
    assert.equal(announced('0000012c', '02'), 300, 'dynamic behind hard');
  });

  it('takes any bytes, cut any way, without an exception and with bounded memory', () => {
    const valid = fc.constantFrom(...rows.map(({ bytes }) => bytes));
    const mutated = fc
      .tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([bytes, changes]) => {
        const copy = Buffer.from(bytes);
        for (const [at, byte] of changes) copy.writeUInt8(byte, at % copy.length);
        return copy;
      });
    const some = fc.oneof(
      mutated,
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(some, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (parts, size) => {
        const bytes = concat(...parts);
        const reader = new ServerReader();
        for (let at = 0; at < bytes.length; at += size) {
          for (const event of reader.feed(bytes.subarray(at, at + size))) JSON.stringify(event);
          // A message that has begun takes 256 bytes at least, and its header was 8.
          assert.ok(reader.heldBytes <= 2 * bytes.length + 256 * Math.ceil(bytes.length / 8));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
