import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { blockPool, type Block } from '../../lib/media/block.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { internalsOff } from '../support/node/internals-off.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../support/service/kmp-service.js';

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

  /** Takes all free memory of the pool: the next read needs memory from the system. */
  function takeRest(): Block[] {
    const rest: Block[] = [];
    for (let block = blockPool.takeFree(1); block !== undefined; block = blockPool.takeFree(1)) rest.push(block);
    return rest;
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

  it('ends the upstream that uses most if the process uses more than its limit, and the upstreams a quarter of it', async () => {
    let rss = 50 * MB;
    const settings = { outMemLimit: 32 * MB };
    service = await startKmp(settings, {
      ...options,
      clock: new FakeClock(),
      memLimit: 100 * MB,
      measureMemory: () => rss,
    });
    const [small, large] = [await publish('small'), await publish('large')];
    small.send(frameAt(0, Buffer.alloc(12 * MB)));
    const memory = (await service.upstream('small')).ledger;
    await eventually(() => memory.used > 12 * MB, 'the frame');
    // Little of that can be media: something else has the memory.
    rss = 101 * MB;
    large.send(frameAt(0, Buffer.alloc(12 * MB)));
    const { ledger } = await service.upstream('large');
    await eventually(() => ledger.used > 12 * MB, 'the frame');
    large.send(frameAt(20, Buffer.alloc(6 * MB)));
    const { reason, upstream } = await service.ended();
    assert.deepEqual([reason, upstream.id], ['mem_limit_exceeded', 'large']);
    assert.match(service.log.text, /the process uses 105906176 of 104857600 bytes .* this upstream uses most of them/);
    assert.equal(small.isClosed, false);
  });

  it('gives back at once what an upstream held that has failed', { skip: internalsOff }, async () => {
    const clock = new FakeClock();
    service = await startKmp({ inReadInterval: 40, outMemLimit: 32 * MB }, { ...options, clock });
    const before = blockPool.usedBytes;
    const sender = await publish('u1');
    const { ledger } = await service.upstream('u1');
    for (let i = 0; i < 200; i++) sender.send(frameAt(i * 20, Buffer.alloc(100_000)));
    // The last one stays incomplete.
    sender.send(frameAt(4000, Buffer.alloc(100_000)).subarray(0, 50_000));
    await eventually(() => (clock.advance(10), ledger.used > 19 * MB), 'the frames');
    await eventually(() => (clock.advance(10), blockPool.usedBytes - before > 15 * MB), 'the blocks');
    service.registry.get('u1')?.fail('send_failed', 'the spec wants it');
    await eventually(() => blockPool.usedBytes === before, 'the memory');
  });

  it(
    'takes no memory beyond the limit to read into: the upstream that uses most gives its own',
    { skip: internalsOff },
    async () => {
      let rss = 0;
      const clock = new FakeClock();
      const settings = { inReadInterval: 40, outMemLimit: 32 * MB };
      service = await startKmp(settings, { ...options, clock, memLimit: 64 * MB, measureMemory: () => rss });
      const [first, second] = [await publish('first'), await publish('second')];
      const [{ ledger }, other] = [await service.upstream('first'), await service.upstream('second')];
      for (let i = 0; i < 200; i++) first.send(frameAt(i * 20, Buffer.alloc(100_000)));
      await eventually(() => (clock.advance(10), ledger.used > 19 * MB), 'the frames');
      const rest = takeRest();
      const { bytes } = blockPool;
      rss = 65 * MB;
      for (let i = 0; i < 140; i++) second.send(frameAt(i * 20, Buffer.alloc(100_000)));
      await eventually(() => (clock.advance(10), other.ledger.used > 13 * MB), 'the frames that waited in the kernel');
      assert.equal((await service.ended()).upstream.id, 'first');
      assert.match(service.log.text, /the process uses 68157440 of 67108864 bytes .* this upstream uses most of them/);
      assert.ok(blockPool.bytes <= bytes, `the pool has grown from ${bytes} to ${blockPool.bytes} bytes`);
      assert.equal(second.isClosed, false);
      for (const block of rest) block.release();
    },
  );

  it('goes on with the last measurement while no descriptor is free to measure', { skip: internalsOff }, async () => {
    let fails = false;
    const measureMemory = (): number => {
      if (fails) throw new Error('EMFILE: too many open files, uv_resident_set_memory');
      return 0;
    };
    const clock = new FakeClock();
    const settings = { inReadInterval: 40, outMemLimit: 32 * MB };
    service = await startKmp(settings, { ...options, clock, memLimit: 64 * MB, measureMemory });
    const first = await publish('first');
    const { ledger } = await service.upstream('first');
    fails = true;
    clock.advance(250);
    const rest = takeRest();
    for (let i = 0; i < 200; i++) first.send(frameAt(i * 20, Buffer.alloc(100_000)));
    await eventually(() => (clock.advance(10), ledger.used > 19 * MB), 'the frames');
    await publish('second');
    await service.upstream('second');
    assert.equal(first.isClosed, false);
    for (const block of rest) block.release();
  });
});
