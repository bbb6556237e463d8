import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { startChild, type Child } from '../process/child.js';

const program = fileURLToPath(new URL('../../../bin/kmp-rtmp.js', import.meta.url));

interface Setup {
  readonly workers?: number;
  /** Directives of the main context; `$folder` in it stands for the service's folder. */
  readonly main?: string;
  /** Directives of the KMP server, and servers behind it. */
  readonly media?: string;
  readonly moreServers?: string;
}

/** The command line program with several worker processes, in a folder of its own, as its callers see it. */
export class WorkerService {
  private constructor(
    readonly child: Child,
    readonly folder: string,
    readonly kmpPort: number,
    private readonly http: string,
  ) {}

  static async start(setup: Setup = {}): Promise<WorkerService> {
    const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-workers-'));
    const child = startChild([program, '-c', writeConfig(folder, setup)]);
    await child.says('takes KMP on 127.0.0.1:');
    const kmpPort = Number(await child.rest());
    await child.says('answers HTTP on ');
    return new WorkerService(child, folder, kmpPort, (await child.rest()).replace(/\/$/, ''));
  }

  /** Has the service read another configuration; `says` is what it logs in the end. */
  async reload(setup: Setup, says: string): Promise<void> {
    writeConfig(this.folder, setup);
    this.child.kill('SIGHUP');
    await this.child.says(says);
  }

  async status(): Promise<GlobalStatus> {
    return (await this.get('')) as GlobalStatus;
  }

  /** What the API answers under a path below its own. */
  async get(path: string): Promise<unknown> {
    return (await fetch(`${this.http}/api/${path}`)).json();
  }

  /** Asks the API to end something; the HTTP status of the answer. */
  async drop(path: string): Promise<number> {
    return (await fetch(`${this.http}/api/${path}`, { method: 'DELETE' })).status;
  }

  /** Gives an order to the API; its HTTP status and answer. */
  async order(path: string, body?: object): Promise<readonly [status: number, answer: unknown]> {
    const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`${this.http}/api/${path}`, { method: 'POST', ...json });
    return [answer.status, answer.status === 204 ? undefined : await answer.json()];
  }

  /** The values of the metrics, by name and labels as they are written there. */
  async metrics(): Promise<Map<string, number>> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    );
  }

  /** Process ids of the workers. */
  async workers(): Promise<number[]> {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args=']);
    return stdout.split('\n').flatMap((line) => {
      const [pid, parent, ...args] = line.trim().split(/\s+/);
      const isWorker = Number(parent) === this.child.pid && args.some((arg) => arg.endsWith('worker-main.js'));
      return isWorker ? [Number(pid)] : [];
    });
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child.exit;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** True while there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function writeConfig(folder: string, { workers = 2, main = '', media = '', moreServers = '' }: Setup): string {
  const file = join(folder, 'kmp-rtmp.conf');
  writeFileSync(
    file,
    `worker_processes ${workers};
     ${main.replaceAll('$folder', folder)}
     stream { server { listen 127.0.0.1:0; kmp_rtmp; ${media} } ${moreServers} }
     http {
       server {
         listen 127.0.0.1:0;
         location /api/ { kmp_rtmp_api write=on; }
         location /metrics { kmp_rtmp_metrics; }
       }
     }`,
  );
  return file;
}
