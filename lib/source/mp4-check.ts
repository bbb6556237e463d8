import { open } from 'node:fs/promises';
import { KmpRtmpError } from '../base/errors.js';
import { FileReader } from './file-reader.js';

const PARENTS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl', 'moof', 'traf']);
/** A small block: boxes are small and far apart. */
const BLOCK = 4096;
/** Two days at 60 pictures per second. */
const MAX_SAMPLES = 10_000_000;
/** version and flags u32, sample size u32, sample count u32, behind the header of 8 bytes. */
const STSZ_COUNT = 16;
/** version and flags u32, entry count u32; then the entries: sample count u32, value u32. */
const RUNS_COUNT = 12;
const RUN = 8;
/** The same header; then first chunk u32, samples per chunk u32, description u32. */
const CHUNKS = 12;
/** version and flags u32, sample count u32. */
const TRUN_COUNT = 12;

/**
 * Checks the boxes of an MP4 file for two things that mediabunny (1.61) does not handle. It allocates memory for any
 * number of samples, even if no file of this size can have so many. If samples are both in the index and in fragments
 * (as ffmpeg's `frag_keyframe` without `empty_moov` makes them), it reads those of the index only and reports no error.
 *
 * @throws KmpRtmpError `source_format`
 */
export async function checkMp4(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    await new Mp4Check(path, new FileReader(handle, 0, BLOCK), Math.min(size, MAX_SAMPLES)).boxes(size);
  } finally {
    await handle.close();
  }
}

class Mp4Check {
  private indexed = 0;
  private inFragments = 0;

  constructor(
    private readonly path: string,
    private readonly reader: FileReader,
    private readonly limit: number,
  ) {}

  /**
   * Checks the boxes up to `end`. An impossible size ends the check of this level; the boxes after `end` are still
   * checked.
   */
  async boxes(end: number): Promise<void> {
    const { reader } = this;
    while (reader.position + 8 <= end) {
      const begin = reader.position;
      const box = await reader.read(24);
      if (box.length < 8) return;
      const type = box.toString('latin1', 4, 8);
      const length = box.readUInt32BE(0);
      const whole = length === 1 && box.length >= 16 ? Number(box.readBigUInt64BE(8)) : length;
      // 0 means up to the end.
      const next = whole === 0 ? end : begin + whole;
      if (next < begin + 8) return;
      reader.position = begin + 8;
      if (type === 'moof' && this.indexed > 0) throw hybrid(this.path);
      if (PARENTS.has(type)) await this.boxes(Math.min(next, end));
      else await this.count(begin, type, box, length);
      reader.position = next;
    }
  }

  private async count(begin: number, type: string, box: Buffer, length: number): Promise<void> {
    const samples = await samplesOf(this.reader, type, box, length);
    if (type === 'stsz') this.indexed += samples;
    if (type === 'trun') this.inFragments += samples;
    if (samples > this.limit || this.inFragments > this.limit) throw implausible(this.path, begin, type, samples);
  }
}

/**
 * The number of samples that a box announces: 0 for other boxes, Infinity if the box is too small for its entries. The
 * reader is after the header of the box.
 */
async function samplesOf(reader: FileReader, type: string, box: Buffer, length: number): Promise<number> {
  if (box.length < 20) return 0;
  if (type === 'stsz') return box.readUInt32BE(STSZ_COUNT);
  if (type === 'trun') return box.readUInt32BE(TRUN_COUNT);
  if (type !== 'stts' && type !== 'ctts' && type !== 'stsc') return 0;
  const size = type === 'stsc' ? CHUNKS : RUN;
  const count = box.readUInt32BE(RUNS_COUNT);
  // mediabunny would read the bytes after the box as entries.
  if (16 + count * size > length) return Infinity;
  reader.skip(8);
  let samples = 0;
  for (let run = 0; run < count; run++) {
    const entry = await reader.read(size);
    if (entry.length < size) break;
    const first = entry.readUInt32BE(0);
    samples = type === 'stsc' ? Math.max(samples, first, entry.readUInt32BE(4)) : samples + first;
  }
  return samples;
}

function hybrid(path: string): KmpRtmpError {
  return new KmpRtmpError(
    'source_format',
    `${path} is an MP4 file with one part of its frames in the index and the rest in fragments, which cannot be read to ` +
      'the end; remux it with ffmpeg -i FILE -c copy OUT.mp4',
  );
}

function implausible(path: string, offset: number, type: string, samples: number): KmpRtmpError {
  const claim =
    samples === Infinity
      ? 'claims more entries than fit into it'
      : `speaks of ${samples} frames, more than a file of its size can hold`;
  return new KmpRtmpError('source_format', `${path} is damaged: the box "${type}" at byte ${offset} ${claim}`);
}
