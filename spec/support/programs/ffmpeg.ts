import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs ffmpeg (Debian's package ffmpeg), quietly; what it complains of is in the error. */
export async function ffmpeg(...args: string[]): Promise<void> {
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args]);
}

/** One coded frame in a file, as ffprobe finds it. Times in ms. */
export interface Packet {
  readonly type: string;
  /** NaN where the container does not say (Matroska). */
  readonly dts: number;
  readonly pts: number;
  readonly size: number;
  readonly key: boolean;
  readonly md5: string;
}

interface Probed {
  readonly packets: readonly {
    readonly codec_type: string;
    readonly dts_time?: string;
    readonly pts_time?: string;
    readonly size: string;
    readonly flags: string;
    readonly data_hash: string;
  }[];
}

/** All packets of a file, in the file's order. */
export async function packetsOf(file: string): Promise<Packet[]> {
  const args = ['-v', 'error', '-show_packets', '-show_data_hash', 'md5', '-of', 'json', file];
  const { stdout } = await run('ffprobe', args, { maxBuffer: 2 ** 28 });
  const { packets } = JSON.parse(stdout) as Probed;
  return packets.map(({ codec_type, dts_time, pts_time, size, flags, data_hash }) => ({
    type: codec_type,
    dts: Math.round(Number(dts_time) * 1000),
    pts: Math.round(Number(pts_time) * 1000),
    size: Number(size),
    key: flags.startsWith('K'),
    md5: data_hash,
  }));
}

/** The tracks of a file: kind and codec, as `video h264`. */
export async function codecsOf(file: string): Promise<string[]> {
  const entries = ['-show_entries', 'stream=codec_type,codec_name', '-of', 'json'];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...entries, file]);
  const { streams } = JSON.parse(stdout) as { streams: { codec_type: string; codec_name: string }[] };
  return streams.map(({ codec_type, codec_name }) => `${codec_type} ${codec_name}`).sort();
}
