import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { FakeClock } from '../support/fake-clock.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp-sender.js';
import { startKmp, type KmpService } from '../support/kmp-service.js';

const MB = 2 ** 20;

describe('the memory limit of the process', { timeout: 30_000 }, () => {
  let service: KmpService;
  let senders: KmpSender[] = [];

  /** A sender whose server never answers, so everything that it sends stays in memory. */
  async function publish(id: string): Promise<KmpSender> {
    const sender = await KmpSender.open(service.port, { upstream_id: id, url: 'rtmp://192.0.2.1/a/s' });
    senders.push(sender);
    sender.send(audioMinf());
    return sender;
  }

  afterEach(async () => {
    for (const sender of senders) sender.destroy();
    senders = [];
    await service.close();
  });

  const options = { permit: () => true, resolve: () => new Promise<string[]>(() => {}) };

  it('refuses new upstreams above nine tenths; those that are there go on, and tracks join them', async () => {
    let rss = 90 * MB;
    const clock = new FakeClock();
    service = await startKmp({}, { ...options, clock, memLimit: 100 * MB, measureMemory: () => rss });
    const first = await publish('u1');
    await service.upstream('u1');
    rss = 91 * MB;
    clock.advance(250);
    const second = await publish('u2');
    await second.closed;
    assert.match(service.log.text, /the process uses 95420416 of 104857600 bytes \(kmp_rtmp_mem_limit\)/);
    assert.equal(service.registry.get('u2'), undefined);
    assert.equal(first.isClosed, false);
    rss = 80 * MB;
    clock.advance(250);
    await publish('u3');
    await service.upstream('u3');
  });

  it('ends the upstream that uses most if all queues together use more than six tenths', async () => {
    const clock = new FakeClock();
    service = await startKmp({}, { ...options, clock, memLimit: 10 * MB, measureMemory: () => 0 });
    const [small, large] = [await publish('small'), await publish('large')];
    small.send(frameAt(0, Buffer.alloc(2 * MB)));
    large.send(frameAt(0, Buffer.alloc(3 * MB)));
    large.send(frameAt(20, Buffer.alloc(2 * MB)));
    const { reason, upstream } = await service.ended();
    assert.deepEqual([reason, upstream.id], ['mem_limit_exceeded', 'large']);
    assert.match(service.log.text, /all upstreams together use \d+ bytes, which is too much .* and this one uses most/);
    assert.equal(small.isClosed, false);
    // What has ended does not count any more.
    const third = await publish('third');
    third.send(frameAt(0, Buffer.alloc(3 * MB)));
    const memory = (await service.upstream('third')).ledger;
    await eventually(() => memory.used > 3 * MB, 'the frame');
    assert.equal(small.isClosed, false);
    small.send(frameAt(20, Buffer.alloc(2 * MB)));
    assert.equal((await service.ended()).upstream.id, 'small');
  });
});
