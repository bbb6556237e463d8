/** An action, and when it would have been taken. */
interface Deferred {
  /** Monotonic ms. */
  readonly at: number;
  readonly run: () => void;
}

/**
 * What happened to the streams of a session while its server had not answered connect. The actions are taken, in their order,
 * when it has answered, or counts as a server that never answers.
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

  /** @param before called ahead of each action, with its time */
  runAll(before: (at: number) => void): void {
    const { list } = this;
    this.list = [];
    for (const { at, run } of list) {
      before(at);
      run();
    }
  }
}
