import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KmpRtmpError } from '../../../../lib/base/errors.js';
import { inspect } from '../../../../lib/inspect/inspect.js';
import { recordText } from '../../../../lib/inspect/text.js';
import { parseAudioSpecificConfig, parseOpusHead, parseAdts } from '../../../../lib/source/codec/audio-config.js';
import { parseAudioBody, parseVideoBody } from '../../../../lib/source/flv/flv-body.js';
import { parseSps, spsOfAvcc } from '../../../../lib/source/codec/h264.js';
import { parseHevcSps, spsOfHvcc } from '../../../../lib/source/codec/h265.js';
import { openSource } from '../../../../lib/source/open.js';
import { parseAc3Header, parseMp3Header } from '../../../../lib/source/codec/sync-frame.js';
import { cut, holds, refusal, type Target } from '../target.js';

const media = (name: string): Buffer => readFileSync(join('spec', 'fixtures', 'media', name));
const kmp = (name: string): Buffer => readFileSync(join('spec', 'golden', 'data', name)).subarray(0, 4000);

/** What moves a terminal's cursor, or worse; tabs and new lines aside. */
const CONTROL = /(?![\t\n])\p{Cc}/u;

let folder = '';

/** FLV files and KMP dumps, from the disk as a sender reads them: frames, and a word about the damage. */
export const flvFiles: Target = {
  name: 'flv',
  share: 10,
  words: ['FLV', '\x08', '\x09', '\x12', 'avc1', 'hvc1', 'mp4a', 'Opus'],
  seeds: () => [
    media('h264-mp3.flv').subarray(0, 6000),
    media('h264-mp3.flv').subarray(0, 1200),
    kmp('av/v.kmp'),
    kmp('av/a.kmp'),
  ],
  open: () => {
    folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-fuzz-'));
    return Promise.resolve();
  },
  close: () => {
    rmSync(folder, { recursive: true });
    return Promise.resolve();
  },
  async run(input) {
    // What begins as neither is another container, which a library reads.
    const head = input.toString('latin1', 0, 4);
    if (!head.startsWith('FLV') && !['cnct', 'minf', 'fram', 'null', 'eost'].includes(head)) return 'another format';
    const path = join(folder, 'fuzz');
    writeFileSync(path, input);
    let warnings = 0;
    try {
      const source = await openSource(path, { onWarning: () => warnings++ });
      let frames = 0;
      let bytes = 0;
      for (const track of source.tracks) {
        for await (const frame of track.frames()) {
          frames++;
          bytes += frame.data.length;
        }
      }
      await source.close();
      holds(bytes <= input.length, `${bytes} bytes of frames`);
      return `${source.tracks.length} tracks, ${Math.min(frames, 9)} frames, ${Math.min(warnings, 2)} warnings`;
    } catch (error) {
      return refusal(error, KmpRtmpError);
    }
  },
};

/** Tag bodies and codec headers: something, or undefined. */
export const codecHeaders: Target = {
  name: 'codec-headers',
  seeds: () => [
    Buffer.from(
      '0164001effe100196764001eacd9405005bb011000000300100000030320f162d9600100066 8ebe3cb22c0'.replaceAll(' ', ''),
      'hex',
    ),
    Buffer.from('6764001eacd9405005bb01100000030010000003032 0f162d960'.replaceAll(' ', ''), 'hex'),
    Buffer.from('1210', 'hex'),
    Buffer.from('4f707573486561640102380180bb0000000000', 'hex'),
    Buffer.from('fffb9064', 'hex'),
    Buffer.from('0b77d5de1e40', 'hex'),
    Buffer.from('1701000000000000026588', 'hex'),
    Buffer.from('90617663310164001e', 'hex'),
    Buffer.from('42010101600000030090000003000003005da00280802d165959a4932bc05a02000003000200000300321', 'hex'),
  ],
  run(input) {
    const found = [
      [spsOfAvcc, parseSps, spsOfHvcc, parseHevcSps, parseAudioSpecificConfig, parseOpusHead, parseAdts],
      [parseMp3Header, parseAc3Header, parseVideoBody, parseAudioBody],
    ]
      .flat()
      .map((parse) => parse(input));
    return found.map((one) => (one === undefined ? 0 : 1)).join('');
  },
};

/** A dump under `kmp-rtmp inspect`: records, and lines that a terminal may be shown. */
export const dumps: Target = {
  name: 'inspect',
  share: 4,
  words: ['cnct', 'fram', '\x1b[2J', '_result', 'onStatus'],
  seeds: () => [
    kmp('av/v.kmp').subarray(0, 1500),
    readFileSync(join('spec', 'golden', 'data', 'av', 'expected.1.rtmp')).subarray(0, 5000),
  ],
  async run(input, random) {
    const kinds = new Set<string>();
    let records = 0;
    try {
      for await (const record of inspect(cut(input, random))) {
        records++;
        kinds.add(record.kind);
        holds(!CONTROL.test(recordText(record)), 'a line without control characters');
      }
    } catch (error) {
      return refusal(error, KmpRtmpError);
    }
    holds(kinds.has('summary'), 'a summary');
    holds(records <= input.length + 10, `${records} records`);
    return [...kinds].join(' ');
  },
};
