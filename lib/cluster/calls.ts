/** Calls to another process that wait for their answer, by number. */
export class Calls {
  private next = 1;
  private readonly open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();

  /**
   * Makes a call: `send` gets its number. Resolves with the answer, rejects with the error that the other process sent.
   */
  make(send: (call: number) => void): Promise<unknown> {
    const call = this.next++;
    return new Promise((resolve, reject) => {
      this.open.set(call, { resolve, reject });
      send(call);
    });
  }

  answer(call: number, value: unknown, error: string | undefined): void {
    const waiting = this.open.get(call);
    this.open.delete(call);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  /** Rejects all calls that wait: the other process is gone. */
  failAll(why: string): void {
    for (const waiting of this.open.values()) waiting.reject(new Error(why));
    this.open.clear();
  }
}
