import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../../support/time/eventually.js';
import { FakeClock } from '../../support/time/fake-clock.js';
import { connect } from '../../support/kmp/kmp-bytes.js';
import { KmpSender } from '../../support/kmp/kmp-sender.js';
import { startKmp, type KmpService } from '../../support/service/kmp-service.js';
import { turns } from '../../support/time/turns.js';

const router = { isHere: () => true, transfer: () => {} };
const packet = connect({ upstream_id: 'u1', url: 'rtmp://127.0.0.1:9/a/s' });
const PLACES = [
  ['one process', {}],
  ['a worker', { router }],
] as const;

for (const [where, more] of PLACES) {
  describe(`a connection that brings no connect packet, in ${where}`, { timeout: 60_000 }, () => {
    let clock: FakeClock;
    let service: KmpService;
    let sender: KmpSender;

    beforeEach(async () => {
      clock = new FakeClock();
      service = await startKmp({ inReadTimeout: 20_000 }, { clock, ...more });
      sender = await KmpSender.openRaw(service.port);
    });
    afterEach(async () => {
      sender.destroy();
      await service.close();
    });

    const closed = (): Promise<void> => eventually(() => service.counter.open === 0, 'its end');

    for (const [what, bytes, level] of [
      ['nothing', Buffer.alloc(0), undefined],
      ['a part of its connect packet', packet.subarray(0, 100), undefined],
      ['its connect packet', packet, 'info'],
      ['bytes that are no KMP', Buffer.from('GET / HTTP/1.1\r\n'), 'error'],
    ] as const) {
      it(`closed after ${what}, is logged as what it is`, async () => {
        await eventually(() => service.counter.accepted === 1, 'the connection');
        sender.socket.end(bytes);
        await sender.closed;
        await closed();
        assert.deepEqual(
          service.log.lines.map((line) => line.level),
          level === undefined ? [] : [level],
        );
        assert.doesNotMatch(service.log.text, /unshift/);
      });
    }

    for (const [what, bytes, why] of [
      ['nothing', Buffer.alloc(0), /nothing was received for 20000 ms/],
      ['a part', packet.subarray(0, 100), /the connect packet was not complete 20000 ms after the connection began/],
    ] as const) {
      it(`is closed after kmp_rtmp_in_read_timeout, with ${what} of it`, async () => {
        await eventually(() => service.counter.open === 1, 'the connection');
        sender.send(bytes);
        await turns(20);
        clock.advance(19_999);
        await turns(20);
        assert.equal(service.counter.open, 1);
        clock.advance(1);
        await turns(20);
        clock.advance(0);
        await closed();
        assert.match(service.log.text, why);
      });
    }
  });
}
