/** CPU and memory of processes that are not ours to ask: from /proc, and where there is none (macOS), from `ps`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface ProcessUse {
  readonly pid: number;
  readonly parent: number;
  /** User and system time over all threads. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** A process and all that it started. Empty when it is gone. */
export function processTree(pid: number): ProcessUse[] {
  const all = existsSync('/proc/self/stat') ? fromProc() : fromPs();
  const tree = all.filter((process) => process.pid === pid);
  for (const member of tree) tree.push(...all.filter((process) => process.parent === member.pid));
  return tree;
}

let ticks: number | undefined;
const ticksPerSecond = (): number => (ticks ??= Number(execFileSync('getconf', ['CLK_TCK'])));

function fromProc(): ProcessUse[] {
  const found: ProcessUse[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      found.push(
        parseProc(Number(name), readFileSync(`/proc/${name}/stat`, 'utf8'), ticksPerSecond(), () => {
          const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'));
          return Number(line?.[1] ?? 0) * 1024;
        }),
      );
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** @param stat the line of /proc/PID/stat; the name in it is in brackets and may hold anything */
export function parseProc(pid: number, stat: string, ticksASecond: number, rss: () => number): ProcessUse {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent = 0, user = 0, system = 0] = [1, 11, 12].map((i) => Number(fields[i]));
  return { pid, parent, cpuSeconds: (user + system) / ticksASecond, rssBytes: rss() };
}

function fromPs(): ProcessUse[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid=,time=,rss='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [pid = '', parent = '', time = '', rss = ''] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), cpuSeconds: parsePsTime(time), rssBytes: Number(rss) * 1024 };
  });
}

/** `[[days-]hours:]minutes:seconds[.hundredths]` */
export function parsePsTime(text: string): number {
  const [rest = '', days = '0'] = text.split('-').reverse();
  const seconds = rest.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Number(days) * 86_400 + seconds;
}
