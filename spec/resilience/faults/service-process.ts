import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { compiled, Folder, Run, type HowToRun } from '../../support/process/cli.js';
import { freePort } from '../../support/network/free-port.js';
import { send } from '../../support/network/http.js';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { Probe, probed } from '../probe/probe.js';

export interface ProcessSetup {
  readonly workers?: number;
  /** Directives of the KMP server; `{folder}` stands for a folder of its own. */
  readonly media: string;
  /** Error logs beside the service's own. */
  readonly main?: string;
  /** A command that starts the program, with its arguments. */
  readonly wrapper?: readonly [string, ...string[]];
}

/** The program as a process, and what the operating system and its API say about it. */
export class ServiceProcess {
  /** Looks into it. */
  readonly probe: Probe;

  private constructor(
    private readonly run: Run,
    private readonly folder: Folder,
    readonly kmpPort: number,
    readonly httpPort: number,
  ) {
    this.probe = new Probe(
      folder.path,
      () => this.pids,
      () => this.output,
    );
  }

  static async start({ workers = 1, media, main = '', wrapper }: ProcessSetup): Promise<ServiceProcess> {
    const folder = new Folder();
    const [kmpPort, httpPort] = [await freePort(), await freePort()];
    const path = folder.file('kmp-rtmp.conf', '');
    writeFileSync(
      path,
      `worker_processes ${workers}; error_log ${folder.path}/error.log info; ${main}
      stream { server { listen 127.0.0.1:${kmpPort}; kmp_rtmp; ${media.replaceAll('{folder}', folder.path)} } }
      http { server { listen 127.0.0.1:${httpPort}; location /api/ { kmp_rtmp_api write=on; }
        location /metrics { kmp_rtmp_metrics; } location / { kmp_rtmp_status; kmp_rtmp_health; } } }`,
    );
    const service = new ServiceProcess(
      new Run(['-c', path], probed(folder.path), undefined, wrapped(wrapper)),
      folder,
      kmpPort,
      httpPort,
    );
    try {
      // Another program that has taken the port would answer, too.
      await service.until('its readiness', async () => (await service.get('/readyz').catch(() => 0)) === 200);
      await service.until('its own answer', async () => (await service.status()).pid === service.pid);
    } catch (error) {
      await service.stop();
      throw error;
    }
    return service;
  }

  get pid(): number {
    return this.run.pid;
  }

  get running(): boolean {
    return this.run.running;
  }

  /** What it wrote to the terminal, and its log. */
  get output(): string {
    return this.run.stdout + this.run.stderr + readFileSync(`${this.folder.path}/error.log`, 'utf8');
  }

  async status(): Promise<GlobalStatus> {
    return (await send(this.httpPort, 'GET', '/api/')).json as GlobalStatus;
  }

  /** A connection to its HTTP server. */
  async openHttp(): Promise<net.Socket> {
    const socket = net.connect(this.httpPort, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }

  /** Status of the answer. */
  get(path: string): Promise<number> {
    return this.request('GET', path);
  }

  /** The samples of a metric, added up. */
  async metric(name: string): Promise<number> {
    const { text } = await send(this.httpPort, 'GET', '/metrics');
    const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))];
    return samples.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async text(path: string): Promise<string> {
    return (await send(this.httpPort, 'GET', path)).text;
  }

  async request(method: string, path: string): Promise<number> {
    return (await send(this.httpPort, method, path)).status;
  }

  /** Waits for something that the service does. */
  async until(what: string, holds: () => boolean | Promise<boolean>, patience = 30_000): Promise<void> {
    const giveUp = performance.now() + patience;
    while (!(await holds())) {
      if (!this.running)
        throw new Error(`the service ended while ${what} was waited for:\n${this.output.slice(-3000)}`);
      if (performance.now() > giveUp) throw new Error(`waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Open file descriptors of its processes. */
  get descriptors(): number {
    return this.pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  }

  /** Sizes of the files that it has written with such names. */
  fileSizes(name: RegExp): number[] {
    const files = readdirSync(this.folder.path).filter((file) => name.test(file));
    return files.map((file) => statSync(`${this.folder.path}/${file}`).size);
  }

  /** Bytes of memory in use. */
  get rss(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  /** Process ids, of its workers too. */
  get pids(): number[] {
    return [this.pid, ...this.workers];
  }

  /** Process ids of its workers. */
  get workers(): number[] {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim();
    return children === '' ? [] : children.split(' ').map(Number);
  }

  signal(signal: NodeJS.Signals, pid = this.pid): void {
    process.kill(pid, signal);
  }

  /** Sets a soft limit (`nofile`, `fsize`), or takes it away again. */
  limit(what: 'nofile' | 'fsize', value: number | undefined): void {
    execFileSync('prlimit', ['--pid', String(this.pid), `--${what}=${value ?? 'unlimited'}:`]);
  }

  /**
   * Leaves it so many file descriptors to open: the limit is one of their numbers, of which some are free in between.
   */
  leaveDescriptors(spare: number): void {
    const used = new Set(readdirSync(`/proc/${this.pid}/fd`).map(Number));
    let limit = 0;
    for (let free = 0; free < spare; limit++) if (!used.has(limit)) free++;
    this.limit('nofile', limit);
  }

  /** Hard limit of file descriptors. */
  get mostDescriptors(): number {
    const limits = readFileSync(`/proc/${this.pid}/limits`, 'utf8');
    return Number(/Max open files\s+\d+\s+(\d+)/.exec(limits)?.[1]);
  }

  /** Asks it to end; the exit code. */
  async stop(): Promise<number | null> {
    const force = setTimeout(() => this.run.kill('SIGKILL'), 15_000);
    if (this.running) this.run.kill('SIGTERM');
    const { code } = await this.run.ended;
    clearTimeout(force);
    this.folder.remove();
    return code;
  }
}

function wrapped(wrapper: ProcessSetup['wrapper']): HowToRun {
  if (wrapper === undefined) return compiled;
  const [command, ...before] = wrapper;
  return { command, before: [...before, compiled.command, ...(compiled.before ?? [])] };
}
