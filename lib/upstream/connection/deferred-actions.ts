/** An action, and the time at which it was requested. */
interface Deferred {
  /** Monotonic ms. */
  readonly at: number;
  readonly run: () => void;
}

/**
 * Actions for the streams of a session, requested before the server has answered connect. They run in their order when
 * the server has answered, or counts as one that never answers.
 */
export class DeferredActions {
  private list: Deferred[] = [];

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** @param at monotonic ms */
  add(at: number, run: () => void): void {
    this.list.push({ at, run });
  }

  /** @param before called before each action, with its time */
  runAll(before: (at: number) => void): void {
    const { list } = this;
    this.list = [];
    for (const { at, run } of list) {
      before(at);
      run();
    }
  }
}
