/** The compiled program as a child process: what a user has, exit code and all. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reap } from './reaper.js';

const program = fileURLToPath(new URL('../../../bin/kmp-rtmp.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program to run, what stands before its arguments, and where and as which user it runs. */
export interface HowToRun {
  readonly command: string;
  readonly before?: readonly string[];
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export const compiled: HowToRun = { command: process.execPath, before: [program] };

/** A run that has begun. */
export class Run {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: Buffer, how: HowToRun = compiled) {
    // Nothing of the surroundings that stands for a directive.
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KMP_RTMP_')));
    const { command, before = [], ...options } = how;
    this.child = reap(spawn(command, [...before, ...args], { ...options, env: { ...clean, ...env } }));
    this.child.stdin?.on('error', () => {});
    this.child.stdin?.end(input);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]) => ({
      code: typeof code === 'number' ? code : null,
      signal: typeof signal === 'string' ? signal : null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Closes the reading end of its stdout, as `head` does. */
  closeStdout(): void {
    this.child.stdout?.destroy();
  }

  /** Closes the reading end of its stderr, as a log collector that dies. */
  closeStderr(): void {
    this.child.stderr?.destroy();
  }

  /**
   * What the pattern fits in the output so far, as soon as it does; fails if the program ends, or is silent for long.
   */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const giveUp = AbortSignal.timeout(20_000);
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (found !== null) return found;
      const more = [this.child.stdout, this.child.stderr].map(
        (stream) => stream && once(stream, 'data', { signal: giveUp }),
      );
      const end = this.ended.then((ended) => {
        if (!pattern.test(ended.stdout) && !pattern.test(ended.stderr)) {
          throw new Error(`ended (${ended.code}) without saying ${pattern}:\n${ended.stdout}\n${ended.stderr}`);
        }
      });
      try {
        await Promise.race([...more, end]);
      } catch (error) {
        if (!giveUp.aborted) throw error;
        throw new Error(`did not say ${pattern}:\n${this.stdout}\n${this.stderr}`, { cause: error });
      } finally {
        for (const waiting of more) waiting?.catch(() => {});
      }
    }
  }
}

/** Runs to the end. */
export function kmpRtmp(args: readonly string[], env?: NodeJS.ProcessEnv, input?: Buffer): Promise<Ended> {
  return new Run(args, env, input).ended;
}

/** A folder of its own for one test. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'kmp-rtmp-spec-'));

  /** Writes a file; gives its path. */
  file(name: string, content: string | Buffer): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
