import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { MediaSettings } from '../../../lib/config/settings.js';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { framesOf } from '../../support/ingest/ingest-media.js';
import { connect, packet } from '../../support/kmp/kmp-bytes.js';
import { audioMinf, frameAt, KmpSender, videoMinf } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { turns } from '../../support/time/turns.js';
import { ScriptableIngest } from '../../support/ingest/scriptable-ingest.js';

describe('the limits of a KMP connection', { timeout: 90_000 }, () => {
  let ingest: ScriptableIngest;
  let service: KmpService;
  let clock: FakeClock;
  let sender: KmpSender;

  async function start(settings: Partial<MediaSettings>): Promise<void> {
    service = await startKmp({ outFlushTimeout: 0, outWriteMetaTimeout: 0, outOnfiPeriod: 0, ...settings }, { clock });
  }
  async function open(more: object = {}): Promise<KmpSender> {
    const url = `rtmp://127.0.0.1:${ingest.port}/app/s`;
    sender = await KmpSender.open(service.port, { upstream_id: 'u1', url, ...more });
    return sender;
  }
  const track = () => service.registry.get('u1')?.status().streams['s']?.tracks;
  const closedBecause = async (why: RegExp): Promise<void> => {
    await sender.closed;
    assert.match(service.log.text, why);
    await eventually(() => service.counter.open === 0, 'the end of the connection');
  };

  beforeEach(async () => {
    clock = new FakeClock();
    ingest = await ScriptableIngest.start();
  });
  afterEach(async () => {
    sender.destroy();
    await service.close();
    await ingest.close();
  });

  for (const [what, more, why] of [
    ['an id', { upstream_id: 'u'.repeat(257) }, /upstream_id has 257 characters, the maximum is 256 \(kmp_rtmp_in_max/],
    ['a name', { name: 'n'.repeat(257) }, /name without its query has 257 characters, the maximum is 256/],
    ['a query', { name: `n?${'q'.repeat(2047)}` }, /name has 2049 characters, the maximum is 2048/],
    ['a URL', { url: `rtmp://192.0.2.1/a/${'x'.repeat(4096)}` }, /url has 4115 characters, the maximum is 4096/],
  ] as const) {
    it(`${what} that is too long ends the connection before there is an upstream`, async () => {
      await start({});
      await open(more);
      await closedBecause(why);
      assert.equal(service.registry.size, 0);
    });
  }

  it('an id and a name of 256 characters, with a signed token, are taken', async () => {
    await start({});
    const connection = await open({ upstream_id: 'u'.repeat(256), name: `${'n'.repeat(256)}?${'q'.repeat(1000)}` });
    connection.send(audioMinf(), frameAt(0, 'a'));
    await eventually(() => service.registry.get('u'.repeat(256)) !== undefined, 'the upstream');
  });

  it('errors of one address are logged twenty times, and then once a second', async () => {
    await start({});
    sender = await KmpSender.open(service.port, { upstream_id: 'u0', url: 'rtmp://192.0.2.1/a/b' });
    const lines = (): number => service.log.of('error').filter(({ message }) => /connect data/.test(message)).length;
    const bad = async (): Promise<void> => {
      const other = await KmpSender.open(service.port, { upstream_id: '', url: '' });
      await other.closed;
    };
    for (let n = 0; n < 30; n++) await bad();
    assert.equal(lines(), 20);
    clock.advance(1000);
    await bad();
    assert.equal(lines(), 21);
    assert.match(service.log.text, /\(10 such lines about this address were left out\)/);
  });

  it('16384 frames may wait, but not one more; waiting frames are written', async () => {
    await start({ outMemLimit: 2 ** 26 });
    const connection = await open();
    connection.send(audioMinf());
    for (let i = 0; i < 16384; i += 1024) {
      connection.send(...Array.from({ length: 1024 }, (_, n) => frameAt(i + n, `${i + n}`)));
    }
    await eventually(() => track()?.audio?.pending_frames === 16384, 'all frames');
    assert.equal(sender.isClosed, false);
    sender.send(frameAt(16384, '16384'));
    await closedBecause(/error KMP connection closed: more than 16384 frames are pending/);
    clock.advance(1000);
    const publishing = await ingest.next();
    await publishing.closed;
    assert.equal(framesOf(publishing).length, 16385);
    assert.equal((await service.ended()).reason, 'done');
  });

  it('before its upstream is known it may hold kmp_rtmp_in_mem_limit, whole packets and parts', async () => {
    await start({ inMemLimit: 4096 });
    await open({ opaque: 'x'.repeat(3800) });
    sender.send(audioMinf());
    await eventually(() => track()?.audio !== undefined, 'the track');
    sender.destroy();
    await open({ upstream_id: 'u2', opaque: 'x'.repeat(4200) });
    await closedBecause(/\d+ bytes received without an upstream, the limit is 4096 \(kmp_rtmp_in_mem_limit\)/);
    // Connect data of which most is still to come.
    const fields = connect('{}').subarray(16, 104);
    const unfinished = packet('cnct', fields, Buffer.alloc(6000, 0x20), { dataSize: 2 ** 24 });
    sender = await KmpSender.openRaw(service.port);
    sender.send(unfinished);
    await closedBecause(/without an upstream, the limit is 4096/);
    assert.equal(service.registry.get('u2'), undefined);
  });

  it('afterwards it may not hold more than its upstream', async () => {
    await start({ inMemLimit: 4096, outMemLimit: 100_000 });
    await open();
    sender.send(audioMinf(), frameAt(0, Buffer.alloc(20_000)));
    await eventually(() => track()?.audio?.pending_frames === 1, 'a frame larger than the first limit');
    sender.send(frameAt(0, Buffer.alloc(90_000)));
    assert.equal((await service.ended()).reason, 'get_buf_failed');
    await sender.closed;
  });

  it('one that sends nothing for kmp_rtmp_in_read_timeout is closed', async () => {
    await start({ inReadTimeout: 50 });
    sender = await KmpSender.openRaw(service.port);
    await closedBecause(/KMP connection closed: nothing was received for 50 ms \(kmp_rtmp_in_read_timeout\)/);
    await open();
    sender.send(videoMinf());
    await closedBecause(/KMP connection closed: nothing was received/);
    assert.equal((await service.ended()).reason, 'input_timeout');
  });

  it('one that sends its connect packet byte by byte is closed when kmp_rtmp_in_read_timeout is over', async () => {
    await start({ inReadTimeout: 20_000 });
    sender = await KmpSender.openRaw(service.port);
    const other = await KmpSender.open(service.port, { upstream_id: 'u1', url: 'rtmp://127.0.0.1:9/a/b' });
    await eventually(() => service.counter.open === 2, 'both connections');
    const bytes = connect({ upstream_id: 'u1', url: 'rtmp://127.0.0.1:9/a/b' }, 'ch1', 'v1', 0n);
    for (let at = 0; at < 19; at++) {
      sender.send(bytes.subarray(at, at + 1));
      clock.advance(1000);
      await turns();
    }
    assert.equal(sender.isClosed, false);
    clock.advance(1000);
    await sender.closed;
    assert.match(service.log.text, /the connect packet was not complete 20000 ms after the connection began/);
    assert.equal(other.isClosed, false, 'one with a connect packet');
    other.destroy();
  });

  it('one that sends something now and then is not', async () => {
    await start({ inReadTimeout: 3000 });
    await open();
    sender.send(videoMinf());
    // Longer than the timeout in all, with much room in each step.
    for (let i = 0; i < 12; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      sender.send(packet('null'));
    }
    assert.equal(sender.isClosed, false);
  });
});
