/** The bench's processes. None outlives the bench, however it ends. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
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

const ANSWER_MS = 20_000;

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
    if (exitCode !== null || signalCode !== null)
      throw new Error(`${spawnargs[1] ?? 'a helper'} ended with ${exitCode ?? signalCode}`);
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
    const log = openSync(logFile, 'w');
    this.child = keep(spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', log, log], env }));
    this.child.on('error', (error) => (this.failure = error));
    closeSync(log);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** @throws when it is no longer there, with the last lines that it wrote. */
  assertAlive(): void {
    if (this.failure) throw new Error(`the service did not start: ${this.failure.message}`);
    if (this.child.exitCode === null && this.child.signalCode === null) return;
    const tail = readFileSync(this.logFile, 'utf8').trim().split('\n').slice(-15).join('\n');
    throw new Error(`the service ended with ${this.child.exitCode ?? this.child.signalCode}:\n${tail}`);
  }

  /** Asks it to end, and after 5 s makes it. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined) return;
    const ended = once(this.child, 'exit');
    const force = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    this.child.kill('SIGTERM');
    await ended;
    clearTimeout(force);
  }
}
