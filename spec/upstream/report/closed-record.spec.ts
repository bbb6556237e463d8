import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { MAX_CLOSED, type ClosedUpstreamReport } from '../../../lib/upstream/report/closed.js';
import { ClosedRecord } from '../../../lib/upstream/report/closed-record.js';

function report(upstream_id: string, changes: Partial<ClosedUpstreamReport> = {}): ClosedUpstreamReport {
  return {
    upstream_id,
    url: 'rtmp://192.0.2.1/app/k***',
    reason: 'publish_rejected',
    message: 'the server says: no',
    advice: '',
    layer: 'rtmp',
    last_status: null,
    started_at: '2026-11-28T02:00:00.000Z',
    since: '2026-11-28T02:00:01.000Z',
    closed_at: '2026-11-28T02:00:02.000Z',
    attempts: 1,
    connection: 1,
    lost: { dropped_frames: 1, unacked_frames: 2 },
    published_ms: 0,
    ...changes,
  };
}

describe('the record of ended upstreams', () => {
  it('has the last end first, and answers only what is asked for', () => {
    const record = new ClosedRecord(() => 0);
    for (const id of ['a', 'b', 'c']) record.add(report(id));
    const ids = (query?: Parameters<ClosedRecord['list']>[0]) => record.list(query).map((one) => one.upstream_id);
    assert.deepEqual(ids(), ['c', 'b', 'a']);
    assert.deepEqual(ids({ limit: 2 }), ['c', 'b']);
    assert.deepEqual(ids({ upstreamId: 'b' }), ['b']);
    assert.deepEqual(ids({ upstreamId: '__proto__' }), []);
  });

  it('counts failures of one id in a row in one record, which moves to the front', () => {
    const record = new ClosedRecord(() => 0);
    record.add(report('a', { since: '2026-11-28T01:00:00.000Z' }));
    record.add(report('b'));
    record.add(report('a', { reason: 'resolve_failed', attempts: 4, closed_at: '2026-11-28T03:00:00.000Z' }));
    const [first, ...rest] = record.list();
    assert.equal(rest.length, 1);
    assert.deepEqual(
      [first?.upstream_id, first?.reason, first?.count, first?.attempts, first?.since, first?.closed_at],
      ['a', 'resolve_failed', 2, 5, '2026-11-28T01:00:00.000Z', '2026-11-28T03:00:00.000Z'],
    );
    assert.deepEqual(first?.lost, { dropped_frames: 2, unacked_frames: 4 });
  });

  it('begins another record after an end in order, and after a publication that lasted', () => {
    const record = new ClosedRecord(() => 0);
    record.add(report('a'));
    record.add(report('a', { published_ms: 60_000 }));
    record.add(report('a', { published_ms: 59_999 }));
    record.add(report('a', { reason: 'done' }));
    record.add(report('a'));
    assert.deepEqual(
      record.list().map(({ reason, count, failed }) => [reason, count, failed]),
      [
        ['publish_rejected', 1, true],
        ['done', 1, false],
        ['publish_rejected', 2, true],
        ['publish_rejected', 1, true],
      ],
    );
  });

  it('knows when the upstream is published again', () => {
    const record = new ClosedRecord(() => Date.UTC(2026, 10, 28, 4));
    record.add(report('a'));
    record.add(report('b'));
    record.live('a');
    record.live('none');
    const live = record.list().map(({ upstream_id, live_again_at }) => [upstream_id, live_again_at]);
    assert.deepEqual(live, [
      ['b', null],
      ['a', '2026-11-28T04:00:00.000Z'],
    ]);
    record.add(report('a'));
    assert.equal(record.list({ upstreamId: 'a' })[0]?.live_again_at, null, 'and fails once more');
  });

  it('is bounded in number and in size, whatever senders and servers say', () => {
    const record = new ClosedRecord(() => 0);
    for (let n = 0; n < MAX_CLOSED + 5; n++) record.add(report(`u${n}`));
    const all = record.list({ limit: Infinity });
    assert.equal(all.length, MAX_CLOSED);
    assert.equal(all.at(-1)?.upstream_id, 'u5');
    const long = 'x'.repeat(1_000_000);
    for (let n = 0; n < 10; n++) {
      const last_status = { level: 'error', code: long, description: long };
      record.add(report(`${n}${long}`, { message: long, last_status }));
    }
    assert.ok(JSON.stringify(record.list({ limit: Infinity })).length < 3_000_000);
    assert.equal(record.list({ limit: 1 })[0]?.last_status?.description.length, 501);
  });
});
