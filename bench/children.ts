/** The bench's processes. None outlives the bench, however it ends. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Question } from './messages.js';

const living = new Set<ChildProcess>();

/** Ends the process when the bench ends. */
export function keep(child: ChildProcess): ChildProcess {
  living.add(child);
  child.once('exit', () => living.delete(child));
  child.on('error', () => living.delete(child));
  return child;
}

process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.on(signal, () => process.exit(code));

/** True until it has ended; false, too, if it could not be started. */
export function runs({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/**
 * Ends a process, and waits until it has ended. SIGKILL follows after `limit` ms.
 *
 * @returns its exit code, or the signal that ended it
 */
export async function end(child: ChildProcess, signal: NodeJS.Signals, limit: number): Promise<number | string> {
  if (runs(child)) {
    const ended = once(child, 'exit');
    const force = setTimeout(() => child.kill('SIGKILL'), limit);
    child.kill(signal);
    await ended;
    clearTimeout(force);
  }
  return child.exitCode ?? child.signalCode ?? 'no process';
}

/** Starts a command whose output is added to a file. */
export function startLogged(command: readonly string[], logFile: string, env = process.env): ChildProcess {
  const log = openSync(logFile, 'a');
  const child = keep(spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', log, log], env }));
  closeSync(log);
  return child;
}

/** The last lines of a log. */
export function tailOf(logFile: string): string {
  return readFileSync(logFile, 'utf8').trim().split('\n').slice(-15).join('\n');
}

/** ms in which a helper answers. */
const ANSWER_MS = 20_000;
/** ms in which a service ends. */
const STOP_MS = 5000;

/** One of our own processes (load, ingest, relay), which answers questions. */
export class Helper<Report extends object> {
  private constructor(private readonly child: ChildProcess) {}

  /** @returns the process and its first message: it is ready. */
  static async start<Report extends object, News extends object>(
    file: string,
    args: readonly (string | number)[] = [],
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<{ helper: Helper<Report>; news: News }> {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const helper = new Helper<Report>(keep(fork(path, args.map(String), { env })));
    return { helper, news: (await helper.next()) as News };
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** @throws when it is no longer there. */
  assertAlive(): void {
    const { exitCode, signalCode, spawnargs } = this.child;
    if (!runs(this.child)) throw new Error(`${spawnargs[1] ?? 'a helper'} ended with ${exitCode ?? signalCode}`);
  }

  async ask(question: Question): Promise<Report> {
    const reply = this.next();
    this.child.send(question);
    return (await reply) as Report;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private next(): Promise<unknown> {
    return new Promise((done, failed) => {
      const say = (what: string): void => failed(new Error(`${this.child.spawnargs[1] ?? 'a helper'} ${what}`));
      const onExit = (code: number | null): void => finish(() => say(`ended with ${code ?? 'a signal'}`));
      const onMessage = (message: unknown): void => finish(() => done(message));
      const timer = setTimeout(() => finish(() => say(`did not answer in ${ANSWER_MS} ms`)), ANSWER_MS);
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.child.off('exit', onExit).off('message', onMessage);
        act();
      };
      this.child.once('exit', onExit).once('message', onMessage);
    });
  }
}

/** The service under test: any command. Its output goes to a file. */
export class Service {
  private readonly child: ChildProcess;
  private failure: Error | undefined;

  constructor(
    command: readonly string[],
    private readonly logFile: string,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    rmSync(logFile, { force: true });
    this.child = startLogged(command, logFile, env);
    this.child.on('error', (error) => (this.failure = error));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** @throws when it is no longer there, with the last lines that it wrote. */
  assertAlive(): void {
    if (this.failure) throw new Error(`the service did not start: ${this.failure.message}`);
    if (runs(this.child)) return;
    throw new Error(`the service ended with ${this.child.exitCode ?? this.child.signalCode}:\n${tailOf(this.logFile)}`);
  }

  /** Asks it to end, and after 5 s makes it. */
  async stop(): Promise<void> {
    await end(this.child, 'SIGTERM', STOP_MS);
  }
}
