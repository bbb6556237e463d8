import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { LocalManagement } from '../../lib/media-service/local-management.js';
import { Upstream } from '../../lib/upstream/upstream.js';
import { eventually } from '../support/time/eventually.js';
import { FakeClock } from '../support/time/fake-clock.js';
import { audioMinf, frameAt, KmpSender } from '../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../support/service/kmp-service.js';
import { amf, chunked, u32 } from '../support/ingest/script-bytes.js';
import { ScriptableIngest, type IngestConnection } from '../support/ingest/scriptable-ingest.js';

/** Every look at it takes 1 ms: the more is done, the later it is. */
class BusyClock extends FakeClock {
  busy = false;

  override now(): number {
    if (this.busy) this.advance(1);
    return super.now();
  }
}

/** Watches a number that grows; returns the largest step in a turn of the event loop, once it is `last`. */
async function largestStep(value: () => number, last: number): Promise<number> {
  let before = value();
  let most = 0;
  await eventually(() => {
    most = Math.max(most, value() - before);
    before = value();
    return before >= last;
  }, `${last}, at ${before}`);
  return most;
}

const SETTINGS = { outMinProcessDelay: 0, outFlushTimeout: 0, outWriteMetaTimeout: 0 };

/** Work that comes in bursts is shared out over turns of the event loop; media is processed in between. */
describe('bursts', { timeout: 90_000 }, () => {
  let clock: BusyClock;
  let ingest: ScriptableIngest;
  let service: KmpService;
  let senders: KmpSender[];

  beforeEach(async () => {
    clock = new BusyClock();
    ingest = await ScriptableIngest.start({ answers: true });
    service = await startKmp(SETTINGS, { clock });
    senders = [];
  });
  afterEach(async () => {
    clock.busy = false;
    senders.forEach((sender) => sender.destroy());
    await service.close();
    await ingest.close();
  });

  async function publish(id: string): Promise<IngestConnection> {
    const sender = await KmpSender.open(service.port, {
      upstream_id: id,
      url: `rtmp://127.0.0.1:${ingest.port}/app/s`,
    });
    senders.push(sender);
    sender.send(audioMinf(), frameAt(0, 'first'));
    const connection = await ingest.next();
    await connection.command('publish');
    await eventually(() => service.registry.get(id)?.state === 'publishing', 'the publish');
    return connection;
  }

  const status = (info: { [key: string]: string }): Buffer =>
    chunked({ type: 20, payload: Buffer.concat([amf('onStatus'), amf(0), amf(null), amf(info)]) }, 0x7fffffff);
  const largeChunks = chunked({ type: 1, payload: u32(0x7fffffff) }, 128);

  it('of messages of a server are handled in parts, a bounded number in each turn', async () => {
    const connection = await publish('u1');
    const count = 300;
    const messages = Array.from({ length: count }, (_, i) =>
      status({ code: String(i), description: 'x'.repeat(1000) }),
    );
    connection.write(Buffer.concat([largeChunks, ...messages]));
    const handled = (): number => Number(service.registry.get('u1')?.serverStatus?.code) || 0;
    // 16 KB in one part; one part when they arrive, and one more in the same turn.
    const most = await largestStep(handled, count - 1);
    assert.ok(most <= 40, `${most} messages in one turn`);
  });

  it('of messages do not lose the last one, with which the server closes the connection', async () => {
    const connection = await publish('u1');
    const messages = Array.from({ length: 200 }, (_, i) => status({ code: String(i), description: 'x'.repeat(1000) }));
    const refusal = status({ level: 'error', code: 'NetStream.Publish.BadName', description: 'in use' });
    connection.write(Buffer.concat([largeChunks, ...messages, refusal]));
    connection.end();
    assert.equal((await service.ended()).reason, 'publish_rejected');
  });

  it('of large commands end the upstream: each byte of a command can be a value', async () => {
    const connection = await publish('u1');
    const nulls = Buffer.concat([Buffer.of(10), u32(4000), Buffer.alloc(4000, 5)]);
    const command = Buffer.concat([amf('onStatus'), amf(0), amf(null), nulls]);
    const message = chunked({ type: 20, payload: command }, 0x7fffffff);
    connection.write(Buffer.concat([largeChunks, ...Array<Buffer>(600).fill(message)]));
    assert.equal((await service.ended()).reason, 'recv_failed');
    assert.match(service.log.text, /more than 2097152 bytes of commands at once, or more than 131072 per second/);
  });

  it('of senders that leave together are handled in parts', async () => {
    const count = 60;
    for (let i = 0; i < count; i++) await publish(`u${i}`);
    const inputs = [...Array(count).keys()]
      .map((i) => service.registry.get(`u${i}`))
      .filter((one) => one !== undefined);
    const left = (): number =>
      inputs.filter((upstream) => [...upstream.allTracks()].every(({ input }) => input === undefined)).length;
    clock.busy = true;
    for (const sender of senders) sender.destroy();
    const most = await largestStep(left, count);
    assert.ok(most <= 20, `${most} senders in one turn`);
    clock.busy = false;
  });

  it('of statuses for a large page are made in parts', async (t) => {
    const count = 100;
    for (let i = 0; i < count; i++) await publish(`u${i}`);
    const made = t.mock.method(Upstream.prototype, 'status').mock;
    const management = new LocalManagement(service.registry, { list: () => [] }, clock);
    clock.busy = true;
    const answer = management.status();
    const most = await largestStep(() => made.callCount(), count);
    clock.busy = false;
    assert.ok(most <= 64, `${most} statuses in one turn`);
    assert.equal(Object.keys((await answer).upstreams).length, count);
  });
});
