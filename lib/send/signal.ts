/** Wakes whoever waits: a condition variable for one thread. */
export class Signal {
  private waiting: (() => void)[] = [];

  /** Resolves at the next {@link raise}. */
  raised(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  raise(): void {
    const woken = this.waiting;
    this.waiting = [];
    for (const wake of woken) wake();
  }
}
