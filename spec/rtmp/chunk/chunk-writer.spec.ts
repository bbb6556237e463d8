import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Frame } from '../../../lib/media/frame.js';
import { ChunkWriter, MAX_PAYLOAD } from '../../../lib/rtmp/chunk/chunk-writer.js';
import { OutputBuffer } from '../../../lib/rtmp/chunk/output-buffer.js';
import { hex } from '../../support/values/bytes.js';
import { everyCut } from '../../support/values/cuts.js';

/** What `write` makes of it, with chunks of `chunkSize`. */
function written(chunkSize: number, write: (chunks: ChunkWriter) => void): string {
  const out = new OutputBuffer();
  const chunks = new ChunkWriter(out);
  chunks.chunkSize = chunkSize;
  write(chunks);
  const { length } = out;
  const bytes = Buffer.concat(out.take());
  assert.equal(bytes.length, length);
  return bytes.toString('hex');
}

const same = (digits: string): string => hex(digits).toString('hex');
/** `n` bytes 00 01 02 ... as hex. */
const ramp = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => ((from + i) & 255).toString(16).padStart(2, '0')).join('');

/** A frame of which only the payload counts. */
const carrying = (size: number, payload: Buffer | readonly Buffer[], start = 0): Frame =>
  new Frame(0, 0, 0, 0, size, payload, start);

describe('chunks', () => {
  it('of format 0 carry time, length, type and the message stream id, little-endian', () => {
    assert.equal(
      written(128, (chunks) => chunks.write(4, 0, 0x0a0b0c, 9, 0x04030201, hex('de ad'))),
      same('04 0a0b0c 000002 09 01020304 dead'),
    );
  });

  it('of format 1 carry the difference, length and type', () => {
    assert.equal(
      written(128, (chunks) => chunks.write(4, 1, 23, 8, 1, hex('de ad be ef'))),
      same('44 000017 000004 08 deadbeef'),
    );
  });

  it('of an empty message are one header', () => {
    assert.equal(
      written(128, (chunks) => chunks.write(2, 0, 0, 1, 0, Buffer.alloc(0))),
      same('02 000000 000000 01 00000000'),
    );
  });

  const body = Buffer.from(ramp(0, 300), 'hex');
  const rows: readonly [name: string, chunkSize: number, size: number, expected: string][] = [
    ['shorter than a chunk', 128, 127, `03 000000 00007f 14 00000000 ${ramp(0, 127)}`],
    ['as long as a chunk', 128, 128, `03 000000 000080 14 00000000 ${ramp(0, 128)}`],
    ['one byte longer', 128, 129, `03 000000 000081 14 00000000 ${ramp(0, 128)} c3 ${ramp(128, 129)}`],
    ['as long as two', 128, 256, `03 000000 000100 14 00000000 ${ramp(0, 128)} c3 ${ramp(128, 256)}`],
    ['in three', 128, 300, `03 000000 00012c 14 00000000 ${ramp(0, 128)} c3 ${ramp(128, 256)} c3 ${ramp(256, 300)}`],
    ['in chunks of 200', 200, 300, `03 000000 00012c 14 00000000 ${ramp(0, 200)} c3 ${ramp(200, 300)}`],
    ['in chunks of 65536', 65536, 300, `03 000000 00012c 14 00000000 ${ramp(0, 300)}`],
    ['in chunks of 16777215', 0xffffff, 300, `03 000000 00012c 14 00000000 ${ramp(0, 300)}`],
  ];
  for (const [name, chunkSize, size, expected] of rows) {
    it(`cut a message ${name}`, () => {
      const bytes = written(chunkSize, (chunks) => chunks.write(3, 0, 0, 20, 0, body.subarray(0, size)));
      assert.equal(bytes, same(expected));
    });
  }

  /** [csid, basic header of format 0, of format 1, of format 3] */
  const csids: readonly [number, string, string, string][] = [
    [2, '02', '42', 'c2'],
    [63, '3f', '7f', 'ff'],
    [64, '00 00', '40 00', 'c0 00'],
    [65, '00 01', '40 01', 'c0 01'],
    [319, '00 ff', '40 ff', 'c0 ff'],
    [320, '01 0001', '41 0001', 'c1 0001'],
    [575, '01 ff01', '41 ff01', 'c1 ff01'],
    [65599, '01 ffff', '41 ffff', 'c1 ffff'],
  ];
  for (const [csid, zero, one, three] of csids) {
    it(`of chunk stream ${csid} have a basic header of ${hex(zero).length} bytes`, () => {
      const bytes = written(128, (chunks) => {
        chunks.write(csid, 0, 0, 9, 1, body.subarray(0, 130));
        chunks.write(csid, 1, 40, 9, 1, body.subarray(0, 1));
      });
      const first = `${zero} 000000 000082 09 01000000 ${ramp(0, 128)} ${three} ${ramp(128, 130)}`;
      assert.equal(bytes, same(`${first} ${one} 000028 000001 09 00`));
    });
  }

  /** [time given, time field, extended field] */
  const times: readonly [number, string, string][] = [
    [0, '000000', ''],
    [0xfffffe, 'fffffe', ''],
    [0xffffff, 'ffffff', '00ffffff'],
    [0x1000000, 'ffffff', '01000000'],
    [0x7fffffff, 'ffffff', '7fffffff'],
    [0xffffffff, 'ffffff', 'ffffffff'],
    [0x1_0000_0000, '000000', ''],
    [0x1_0000_0000 + 0x1234567, 'ffffff', '01234567'],
  ];
  for (const [time, field, extended] of times) {
    it(`at ${time}: time field ${field}, extended ${extended === '' ? 'none' : extended}, in every chunk`, () => {
      for (const [format, first, msid] of [
        [0, '04', '01000000'],
        [1, '44', ''],
      ] as const) {
        assert.equal(
          written(128, (chunks) => chunks.write(4, format, time, 9, 1, body.subarray(0, 257))),
          same(
            `${first} ${field} 000101 09 ${msid} ${extended} ${ramp(0, 128)}` +
              ` c4 ${extended} ${ramp(128, 256)} c4 ${extended} ${ramp(256, 257)}`,
          ),
        );
      }
    });
  }

  it('follow a change of their size from the next message on', () => {
    const bytes = written(128, (chunks) => {
      chunks.write(3, 0, 0, 20, 0, body.subarray(0, 129));
      chunks.chunkSize = 4096;
      chunks.write(3, 1, 0, 20, 0, body.subarray(0, 129));
    });
    assert.equal(bytes, same(`03 000000 000081 14 00000000 ${ramp(0, 128)} c3 80 43 000000 000081 14 ${ramp(0, 129)}`));
  });
});

describe('messages of a head and a payload in parts', () => {
  const head = Uint8Array.from(hex('17 01 000050'));
  const payload = Buffer.from(ramp(0, 300), 'hex');
  const media = (chunkSize: number, parts: readonly Buffer[]): string =>
    written(chunkSize, (chunks) =>
      chunks.writeMedia(4, 1, 40, 9, 1, head, head.length, carrying(payload.length, parts)),
    );

  for (const [chunkSize, expected] of [
    [65536, `44 000028 000131 09 1701000050 ${ramp(0, 300)}`],
    [128, `44 000028 000131 09 1701000050 ${ramp(0, 123)} c4 ${ramp(123, 251)} c4 ${ramp(251, 300)}`],
    [305, `44 000028 000131 09 1701000050 ${ramp(0, 300)}`],
    [304, `44 000028 000131 09 1701000050 ${ramp(0, 299)} c4 ${ramp(299, 300)}`],
  ] as const) {
    it(`are the same bytes wherever the payload was cut, in chunks of ${chunkSize}`, () => {
      for (const { name, chunks } of everyCut(payload)) {
        assert.equal(media(chunkSize, chunks), same(expected), name);
      }
    });

    it(`are the same bytes of a payload in the midst of a buffer, in chunks of ${chunkSize}`, () => {
      const around = Buffer.concat([hex('eeeeee'), payload, hex('eeee')]);
      const bytes = written(chunkSize, (chunks) =>
        chunks.writeMedia(4, 1, 40, 9, 1, head, head.length, carrying(payload.length, around, 3)),
      );
      assert.equal(bytes, same(expected));
    });
  }

  it('of large parts are the same bytes, too, and those are not copied', () => {
    const large = Buffer.alloc(10_000);
    for (let i = 0; i < large.length; i++) large[i] = (i * 7) & 255;
    const rest = large.toString('hex');
    for (const parts of [
      [large],
      [large.subarray(0, 4091), large.subarray(4091)],
      [large.subarray(0, 800), large.subarray(800, 801), large.subarray(801)],
    ]) {
      const bytes = written(4096, (chunks) => chunks.writeMedia(4, 0, 7, 9, 1, head, 5, carrying(large.length, parts)));
      assert.equal(
        bytes,
        same(
          `04 000007 002715 09 01000000 1701000050 ${rest.slice(0, 2 * 4091)}` +
            ` c4 ${rest.slice(2 * 4091, 2 * (4091 + 4096))} c4 ${rest.slice(2 * (4091 + 4096))}`,
        ),
      );
    }
    const out = new OutputBuffer();
    const chunks = new ChunkWriter(out);
    chunks.chunkSize = 65536;
    chunks.writeMedia(4, 0, 7, 9, 1, head, 5, carrying(large.length, [large]));
    assert.ok(out.take().includes(large));
  });

  it('only as many bytes of the head count as it is said to have', () => {
    assert.equal(
      written(128, (chunks) =>
        chunks.writeMedia(4, 0, 0, 8, 1, Uint8Array.from([0x2f, 1, 2]), 1, carrying(1, [hex('aa')])),
      ),
      same('04 000000 000002 08 01000000 2f aa'),
    );
  });

  it('longer than 24 bits can say are refused, and nothing is written', () => {
    const out = new OutputBuffer();
    const chunks = new ChunkWriter(out);
    const tooLong = { name: 'RtmpError', code: 'rtmp_bad_value', message: /16777216 bytes/ };
    const parts = [Buffer.alloc(2 ** 24 - 5)];
    assert.throws(() => chunks.writeMedia(4, 0, 0, 9, 1, head, 5, carrying(2 ** 24 - 5, parts)), tooLong);
    assert.throws(() => chunks.write(3, 0, 0, 20, 0, Buffer.alloc(2 ** 24)), tooLong);
    assert.equal(out.length, 0);
    chunks.chunkSize = 0xffffff;
    chunks.writeMedia(4, 0, 0, 9, 1, head, 5, carrying(MAX_PAYLOAD, [Buffer.alloc(MAX_PAYLOAD)]));
    assert.equal(out.length, 12 + 5 + MAX_PAYLOAD);
  });
});
