import type { Clock, Timer } from '../time/clock.js';
import { deadline } from '../time/deadline.js';
import { WorkerUnavailable } from '../upstream/report/unavailable.js';

interface Call {
  readonly timer: Timer;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Calls to another process that wait for their answer, by number. Each has a deadline. */
export class Calls {
  private next = 1;
  private readonly open = new Map<number, Call>();

  constructor(private readonly clock: Clock) {}

  /**
   * Makes a call: `send` gets its number. Resolves with the answer, rejects with the error that the other process sent.
   *
   * @param timeout ms
   * @throws WorkerUnavailable if there is no answer within `timeout`, or the other process ends
   */
  make(send: (call: number) => void, timeout: number): Promise<unknown> {
    const call = this.next++;
    return new Promise((resolve, reject) => {
      const expired = (): void => {
        this.open.delete(call);
        reject(new WorkerUnavailable(`the worker has not answered in ${timeout} ms`));
      };
      this.open.set(call, { timer: deadline(this.clock, timeout, expired), resolve, reject });
      send(call);
    });
  }

  answer(call: number, value: unknown, error: string | undefined): void {
    const waiting = this.remove(call);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  /** Rejects all calls that wait: the other process is gone. */
  failAll(why: string): void {
    for (const call of [...this.open.keys()]) this.remove(call)?.reject(new WorkerUnavailable(why));
  }

  private remove(call: number): Call | undefined {
    const waiting = this.open.get(call);
    this.open.delete(call);
    waiting?.timer.cancel();
    return waiting;
  }
}
