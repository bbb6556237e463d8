import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as format from '../../../lib/api/status/public/data/format.js';
import { newsOf } from '../../../lib/api/status/public/data/news.js';
import { matches, sort, type Sorting } from '../../../lib/api/status/public/data/order.js';
import { Times } from '../../../lib/api/status/public/data/series.js';
import { Upstream } from '../../../lib/api/status/public/data/upstream.js';
import { bodyParts, visibleRows } from '../../../lib/api/status/public/data/visible-rows.js';
import { upstreamInfo, upstreamNumbers } from '../../../lib/api/status/rows.js';
import { sampleUpstream } from '../../support/management/memory-management.js';

let keys = 0;

function upstream(id: string, changes: Parameters<typeof sampleUpstream>[0] = {}): Upstream {
  const status = sampleUpstream(changes);
  const row = { key: keys++, info: upstreamInfo(id, status), uptime: status.uptime, numbers: upstreamNumbers(status) };
  const one = new Upstream(row, 0, new Times());
  one.measure(0);
  return one;
}

describe('visible rows', () => {
  it('are those in the window and a few around it, independent of the number of rows', () => {
    assert.deepEqual(visibleRows(500, 50, 0, 400), { from: 0, to: 12 });
    assert.deepEqual(visibleRows(500, 50, 10_000, 400), { from: 196, to: 212 });
    assert.deepEqual(visibleRows(500, 50, 24_600, 400), { from: 488, to: 500 });
    assert.deepEqual(visibleRows(3, 50, 0, 400), { from: 0, to: 3 });
    assert.deepEqual(visibleRows(0, 50, 0, 400), { from: 0, to: 0 });
    assert.deepEqual(visibleRows(500, 50, 1e9, 400), { from: 500, to: 500 }, 'scrolled beyond: fewer rows than before');
    assert.deepEqual(visibleRows(500, 50, -900, 400), { from: 0, to: 0 }, 'not in sight yet');
  });

  it('are between gaps of the height of the hidden rows, and include the focused row', () => {
    const total = (parts: ReturnType<typeof bodyParts>): number =>
      parts.reduce((sum, part) => sum + ('gap' in part ? part.gap : 1), 0);
    assert.deepEqual(bodyParts(10, { from: 4, to: 6 }, -1), [{ gap: 4 }, { row: 4 }, { row: 5 }, { gap: 4 }]);
    assert.deepEqual(bodyParts(10, { from: 4, to: 6 }, 1), [
      { gap: 1 },
      { row: 1 },
      { gap: 2 },
      { row: 4 },
      { row: 5 },
      { gap: 4 },
    ]);
    for (let kept = -1; kept <= 10; kept++) assert.equal(total(bodyParts(10, { from: 3, to: 8 }, kept)), 10, `${kept}`);
    assert.deepEqual(bodyParts(0, { from: 0, to: 0 }, 3), []);
  });
});

describe('order of upstreams', () => {
  const all = [
    upstream('ch10', { reconnects: 0 }),
    upstream('ch9', { state: 'reconnecting', reconnects: 5 }),
    upstream('ch100', { state: 'handshaking', reconnects: 5 }),
  ];
  const ids = (sorting: Sorting): string[] => sort([...all], sorting).map(({ info }) => info.id);

  it('sorts ids by number, states by urgency, and is stable', () => {
    assert.deepEqual(ids({ column: 'id', direction: 'ascending' }), ['ch9', 'ch10', 'ch100']);
    assert.deepEqual(ids({ column: 'state', direction: 'ascending' }), ['ch9', 'ch100', 'ch10']);
    const waiting = upstream('ch11', { state: 'waiting' });
    assert.deepEqual(
      sort([...all, waiting], { column: 'state', direction: 'ascending' }).map(({ info }) => info.id),
      ['ch9', 'ch11', 'ch100', 'ch10'],
    );
    assert.deepEqual(ids({ column: 'reconnects', direction: 'descending' }), ['ch9', 'ch100', 'ch10']);
    assert.deepEqual(ids({ column: 'bitrateOut', direction: 'descending' }), ['ch9', 'ch10', 'ch100']);
  });

  it('is filtered by every word in any column, and by state', () => {
    const [one, two, three] = all;
    assert.ok(one && two && three);
    assert.ok(matches(one, '', 'all'));
    assert.ok(matches(one, 'CH10 aac', 'all'));
    assert.ok(matches(one, 'publish.start 127.0.0.1', 'publishing'));
    assert.ok(!matches(one, 'ch10 opus', 'all'));
    assert.ok(!matches(one, '', 'reconnecting'));
    assert.ok(matches(three, '', 'connecting'), 'all that is on its way is one group');
    assert.ok(matches(upstream('u', { state: 'waiting' }), '', 'waiting'));
  });

  it('cannot be filtered by a stream key', () => {
    assert.ok(!matches(upstream('u', { url: 'rtmp://host/app/s3cretkey' }), 's3cretkey', 'all'));
  });
});

describe('the news of an upstream', () => {
  const last_error = { reason: 'handshake_failed', message: 'could not connect', age: 3 };
  const next_attempt_at = '2026-11-28T12:00:07.000Z';
  const at = new Date(next_attempt_at).toTimeString().slice(0, 8);

  it('is when it tries next, and why, while it has no server', () => {
    for (const state of ['waiting', 'reconnecting'] as const) {
      const { info } = upstream('u', { state, last_error, next_attempt_at });
      assert.equal(newsOf(info), `next attempt at ${at}: handshake_failed: could not connect`);
    }
    // During an attempt, there is no time to tell.
    assert.equal(
      newsOf(upstream('u', { state: 'reconnecting', last_error }).info),
      'handshake_failed: could not connect',
    );
  });

  it('names the backup that is in use', () => {
    const change = { destination: 1, destinations: 3, destination_url: 'rtmp://b.example/app/key' } as const;
    assert.equal(newsOf(upstream('u', change).info), 'backup 1 of 2: Publish.Start');
    // What it reconnects for says more.
    const { info } = upstream('u', { ...change, state: 'reconnecting', last_error });
    assert.equal(newsOf(info), 'handshake_failed: could not connect');
  });

  it('is what the server said last otherwise', () => {
    assert.equal(newsOf(upstream('u', { last_error }).info), 'Publish.Start');
  });
});

describe('formatted numbers', () => {
  it('are short and have a stable width', () => {
    assert.deepEqual([0, 999, 1000, 15_000, 999_900, 4_250_000, 1.7e9].map(format.bitrate), [
      '0 bit/s',
      '999 bit/s',
      '1.00 kbit/s',
      '15.0 kbit/s',
      '1.00 Mbit/s',
      '4.25 Mbit/s',
      '1.70 Gbit/s',
    ]);
    assert.deepEqual([0, 1023, 1536, 16_777_216].map(format.bytes), ['0 B', '1023 B', '1.50 KiB', '16.0 MiB']);
    assert.deepEqual([0, 29.97, 99.96, 12_345.6].map(format.frames), ['0.0', '30.0', '100', '12\u2009346']);
    assert.deepEqual([0, 999, 1000, 12_345_678].map(format.count), ['0', '999', '1\u2009000', '12\u2009345\u2009678']);
    assert.deepEqual([512.5, 9999, 12_500].map(format.milliseconds), ['513 ms', '9999 ms', '12.5 s']);
    assert.deepEqual([0, 59.9, 303, 7500, 273_600].map(format.duration), [
      '0 s',
      '59 s',
      '5 min 03 s',
      '2 h 05 min',
      '3 d 04 h',
    ]);
    assert.deepEqual([0, 0.037, 0.37, 1].map(format.percent), ['0 %', '3.7 %', '37 %', '100 %']);
  });
});
