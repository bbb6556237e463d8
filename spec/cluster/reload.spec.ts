import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KmpSender } from '../support/kmp/kmp-sender.js';
import { until } from '../support/time/until.js';
import { WorkerService } from '../support/service/worker-service.js';

const OPEN = 6;

describe('another configuration for several workers', { timeout: 90_000 }, () => {
  let service: WorkerService;
  const senders: KmpSender[] = [];

  /** The workers accept in turns: more connections than there are workers come to all of them. */
  async function connect(): Promise<KmpSender[]> {
    const made: KmpSender[] = [];
    for (let i = 0; i < OPEN; i++) made.push(await KmpSender.openRaw(service.kmpPort));
    senders.push(...made);
    return made;
  }

  async function counts(): Promise<{ accepted: number; refused: number }> {
    const metrics = await service.metrics();
    const of = (result: string): number => metrics.get(`kmp_rtmp_input_connections_total{result="${result}"}`) ?? NaN;
    return { accepted: of('accepted'), refused: of('refused') };
  }

  const counted = (accepted: number, refused: number): Promise<unknown> =>
    until(`${accepted} accepted and ${refused} refused`, counts, (now) => {
      return now.accepted === accepted && now.refused === refused;
    });

  beforeEach(async () => {
    service = await WorkerService.start();
  });
  afterEach(async () => {
    for (const sender of senders.splice(0)) sender.destroy();
    await service.close();
  });

  it('is taken by each of them; what lives stays', async () => {
    const before = await connect();
    await counted(OPEN, 0);
    await service.reload({ media: 'deny all;' }, 'takes KMP on');
    const refused = await connect();
    await Promise.all(refused.map(({ closed }) => closed));
    await counted(OPEN, OPEN);
    assert.ok(before.every(({ isClosed }) => !isClosed));
  });

  it('is taken by none of them if one cannot: all stay with the one before', async (t) => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const moreServers = `server { listen 127.0.0.1:${port}; kmp_rtmp; }`;
    await service.reload({ media: 'deny all;', moreServers }, 'is not reloaded');
    await connect();
    await counted(OPEN, 0);
  });

  it('with another number of workers is taken, and the number after a restart', async () => {
    await service.reload({ workers: 3, media: 'deny all;' }, 'worker_processes');
    await service.child.says('takes KMP on');
    assert.equal((await service.workers()).length, 2);
    const refused = await connect();
    await Promise.all(refused.map(({ closed }) => closed));
    await counted(0, OPEN);
  });
});
