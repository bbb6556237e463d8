import { open } from 'node:fs/promises';
import { KmpRtmpError } from '../../base/errors.js';
import { FileReader } from './file-reader.js';

const PARENTS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl', 'moof', 'traf']);
/** Boxes are small, and far apart. */
const BLOCK = 4096;
/** Two days of 60 pictures a second. */
const MAX_SAMPLES = 10_000_000;
/** version and flags u32, sample size u32, sample count u32, behind the header of 8 bytes. */
const STSZ_COUNT = 16;
/** version and flags u32, entry count u32; then the entries: sample count u32, value u32. */
const RUNS_COUNT = 12;
const RUN = 8;
/** The same head; then first chunk u32, samples a chunk u32, description u32. */
const CHUNKS = 12;
/** version and flags u32, sample count u32. */
const TRUN_COUNT = 12;

/**
 * Looks through an MP4 file's boxes for what mediabunny (1.61) would not survive, or would be silent about: numbers of
 * samples that no file of its size can have, which it makes room for; and samples both in the index and in fragments (as
 * ffmpeg's `frag_keyframe` without `empty_moov` makes them), of which it reads the first part and takes it for all.
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

  /** Goes through the boxes from here to `end`; a size that cannot be ends that, and the boxes after `end` still count. */
  async boxes(end: number): Promise<void> {
    const { reader } = this;
    while (reader.position + 8 <= end) {
      const begin = reader.position;
      const box = await reader.read(24);
      if (box.length < 8) return;
      const type = box.toString('latin1', 4, 8);
      const length = box.readUInt32BE(0);
      const whole = length === 1 && box.length >= 16 ? Number(box.readBigUInt64BE(8)) : length;
      // 0 is "to the end".
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

/** How many samples a box speaks of: 0 for those that speak of none, Infinity for entries that it has no room for. The reader stands behind the box's header. */
async function samplesOf(reader: FileReader, type: string, box: Buffer, length: number): Promise<number> {
  if (box.length < 20) return 0;
  if (type === 'stsz') return box.readUInt32BE(STSZ_COUNT);
  if (type === 'trun') return box.readUInt32BE(TRUN_COUNT);
  if (type !== 'stts' && type !== 'ctts' && type !== 'stsc') return 0;
  const size = type === 'stsc' ? CHUNKS : RUN;
  const count = box.readUInt32BE(RUNS_COUNT);
  // mediabunny would read what follows the box as entries.
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
