import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterManagement } from '../../lib/cluster/cluster-management.js';
import type { Question } from '../../lib/management/question.js';
import { Orders } from '../../lib/upstream/orders/orders.js';
import { FakeClock } from '../support/time/fake-clock.js';

/** A worker whose answers the spec gives. It has the orders of `book` at its start, and when they are given to it. */
class HandWorker {
  generation = 0;
  private following: readonly string[] = [];
  private answers: ((value: number) => void)[] = [];
  /** Resolves when the worker is asked something. */
  readonly asked: Promise<void>;
  private onAsked: () => void = () => {};

  constructor(private readonly book: Orders) {
    this.asked = new Promise((resolve) => (this.onAsked = resolve));
  }

  ask(_what: Question): Promise<unknown> {
    return new Promise<number>((resolve) => {
      this.answers.push(resolve);
      this.onAsked();
    });
  }

  answer(upstreams: number): void {
    for (const resolve of this.answers.splice(0)) resolve(upstreams);
  }

  giveOrders(): void {
    this.following = this.book.list().map(({ kind, route }) => `${kind} ${route}`);
  }

  /** The worker dies, and another one takes its place. */
  replace(): void {
    this.generation++;
    this.giveOrders();
  }

  /** The orders that the present process of this worker has from the book. */
  get follows(): readonly string[] {
    return this.following;
  }
}

describe('an order while a worker is replaced', () => {
  it('reaches the new worker of a slot whose old worker had answered before it died', async () => {
    const book = new Orders();
    const workers = [new HandWorker(book), new HandWorker(book)] as const;
    const management = new ClusterManagement(workers, { list: () => [] }, book, new FakeClock());
    const route = 'rtmp://host.example/app';
    const order = management.order('disable', { route });
    await Promise.all(workers.map(({ asked }) => asked));
    workers[0].answer(1);
    // The other worker has not answered yet: the order is not recorded, so that the new worker starts without it.
    workers[0].replace();
    assert.deepEqual(workers[0].follows, []);
    workers[1].answer(2);
    assert.equal(await order, 3);
    assert.deepEqual(workers[0].follows, [`disabled ${route}`]);
  });
});
