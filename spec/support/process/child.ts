import { spawn, type ChildProcess } from 'node:child_process';
import { reap } from './reaper.js';

/** A process that a spec talks to by signals and that answers by lines. */
export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Exit status, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
  /**
   * Resolves once the process has written `text` behind what was waited for before.
   *
   * @throws if it ends without
   */
  says(text: string): Promise<void>;
  /** What follows on the line, behind what was waited for. */
  rest(): Promise<string>;
}

/** ms. Nothing that a spec starts may outlive it, whatever goes wrong; a little less than a test may take. */
const LIFETIME = 110_000;

/** Starts a Node of its own. */
export function startChild(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv } = {}): Child {
  const child = reap(
    spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    }),
  );
  let text = '';
  let ended = false;
  let wake = (): void => {};
  const take = (bytes: Buffer): void => {
    text += bytes.toString();
    wake();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const cut = setTimeout(() => child.kill('SIGKILL'), LIFETIME);
  const exit = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(cut);
      ended = true;
      wake();
      resolve(code ?? signal ?? -1);
    });
  });
  const rest = async (): Promise<string> => {
    while (!text.includes('\n') && !ended) await new Promise<void>((resolve) => (wake = resolve));
    return text.slice(0, text.indexOf('\n'));
  };
  const says = async (wanted: string): Promise<void> => {
    for (;;) {
      const at = text.indexOf(wanted);
      if (at >= 0) {
        text = text.slice(at + wanted.length);
        return;
      }
      if (ended) throw new Error(`the process ended without saying ${JSON.stringify(wanted)}; it said: ${text}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { pid: child.pid ?? 0, process: child, exit, kill: (signal) => void child.kill(signal), says, rest };
}
