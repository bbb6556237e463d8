import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startChild, type Child } from '../process/child.js';
import type { Packet } from '../programs/ffmpeg.js';

const SENDER = fileURLToPath(new URL('paced-sender.js', import.meta.url));

/** Live encoders, each a process of its own, which play one film. */
export class FilmSenders {
  private readonly children: Child[] = [];

  constructor(private readonly film: string) {}

  /** @param start ms of the film at which it begins */
  send(start: number, kmpPort: number, connectData: object): Child {
    const child = startChild([SENDER, this.film, String(start), String(kmpPort), JSON.stringify(connectData)]);
    this.children.push(child);
    return child;
  }

  kill(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}

/** Times stay as they are. ffmpeg would round them to the frame rate, and at a joint two pictures can be nearer. */
const EXACT = ['-fps_mode', 'passthrough', '-enc_time_base:v', '1:90000'];

/** ffmpeg decodes all of a file or playlist, and complains of nothing. */
export async function playsWithoutComplaint(file: string, level: 'error' | 'warning'): Promise<void> {
  const args = ['-v', level, '-nostdin', '-err_detect', 'explode', '-i', file, ...EXACT, '-f', 'null', '-'];
  const { stderr } = await promisify(execFile)('ffmpeg', args);
  assert.equal(stderr, '', file);
}

/** ms of the largest gap between neighbouring packets of one kind; Infinity: there are no two of them. */
export function largestGap(packets: readonly Packet[], type: 'video' | 'audio'): number {
  const times = packets.filter((packet) => packet.type === type).map(({ dts }) => dts);
  return times.length < 2 ? Infinity : Math.max(...times.slice(1).map((dts, i) => dts - (times[i] ?? dts)));
}
