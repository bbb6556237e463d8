import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClosedRows } from '../../../lib/api/status/closed-rows.js';
import { Dismissed } from '../../../lib/api/status/public/data/dismissed.js';
import { Model } from '../../../lib/api/status/public/data/model.js';
import { displayState } from '../../../lib/api/status/public/data/order.js';
import type { ClosedInfo, FullMessage, TickMessage } from '../../../lib/api/status/public/data/wire.js';
import { Snapshots } from '../../../lib/api/status/snapshots.js';
import type { ClosedUpstream } from '../../../lib/upstream/report/closed.js';
import { MemoryManagement, sampleClosed, sampleUpstream } from '../../support/management/memory-management.js';

describe('ended upstreams in the feed', () => {
  it('are sent once, again when they change, and are forgotten with their record', () => {
    const rows = new ClosedRows();
    const [a, b] = [sampleClosed({ id: 1, upstream_id: 'a' }), sampleClosed({ id: 2, upstream_id: 'b' })];
    const sent = (records: readonly ClosedUpstream[]): [number[], readonly number[]] => {
      const { closed = [], forgotten = [] } = rows.changes(records);
      return [closed.map(({ record }) => record), forgotten];
    };
    assert.deepEqual(sent([b, a]), [[1, 2], []]);
    assert.deepEqual(sent([b, a]), [[], []]);
    assert.deepEqual(sent([b, { ...a, live_again_at: '2026-11-28T03:00:00.000Z' }]), [[1], []]);
    assert.deepEqual(sent([{ ...b, id: 3, count: 13 }]), [[3], [1, 2]]);
    assert.deepEqual(
      rows.all.map(({ record, id, count }) => [record, id, count]),
      [[3, 'b', 13]],
    );
  });

  it('are bounded, and ends in order do not displace failures', () => {
    const rows = new ClosedRows();
    const many = Array.from({ length: 900 }, (_, n) => sampleClosed({ id: n, upstream_id: `u${n}`, failed: n < 300 }));
    rows.changes(many.reverse());
    assert.equal(rows.all.filter(({ failed }) => failed).length, 200);
    assert.equal(rows.all.length, 300);
  });
});

describe('ended upstreams in the model of the page', () => {
  const snapshots = new Snapshots();
  let t = 0;
  /** What happens if the service has this in its next snapshot. */
  async function step(
    model: Model,
    upstreams: readonly string[],
    closed: readonly ClosedUpstream[],
    { state = 'publishing' as const, ended = {}, now = Date.parse('2026-11-28T05:00:00Z') } = {},
  ): Promise<string[]> {
    const management = new MemoryManagement(upstreams.map((id, n) => [id, sampleUpstream({ connection: n, state })]));
    const message = JSON.parse(
      snapshots.tick(await management.status(), (t += 1000), ended, { closed, sums: { dropped: 7, reconnects: 5 } }),
    ) as TickMessage;
    const full = JSON.parse(snapshots.full() ?? '') as FullMessage;
    const entries = model.service === undefined ? model.full(full, now) : model.tick(message, now);
    return entries.map(({ id, what }) => `${id} ${what}`);
  }
  const states = (model: Model): string[][] => model.rows.map((one) => [one.info.id, displayState(one)]);

  it('are rows until they are live again, or dismissed, with one entry for each end', async () => {
    const model = new Model();
    await step(model, ['a', 'b'], []);
    const first = sampleClosed({ id: 1, upstream_id: 'b', count: 1 });
    const said = await step(model, ['a'], [first], { ended: { publish_rejected: 1 } });
    assert.deepEqual(said, [
      'b failed: publish_rejected: the server says: NetStream.Publish.Unauthorized: the key is not known',
    ]);
    assert.deepEqual(states(model), [
      ['a', 'publishing'],
      ['b', 'failed'],
    ]);
    const [, row] = model.rows;
    const second = { ...first, id: 2, count: 4 };
    const more = await step(model, ['a'], [second], { ended: { publish_rejected: 4 } });
    assert.equal(more.length, 1);
    assert.match(more[0] ?? '', /^b failed: .*\(4 times in a row\)$/);
    assert.equal(model.rows[1], row, 'the same row');
    await step(model, ['a', 'b'], [{ ...second, closed_at: '2026-11-28T04:59:50.000Z' }], {});
    const live = { ...second, live_again_at: '2026-11-28T04:59:59.000Z' };
    await step(model, ['a', 'b'], [live]);
    assert.deepEqual(
      states(model)
        .flat()
        .filter((word) => word === 'failed'),
      [],
    );
    await step(model, ['a'], [live]);
    assert.deepEqual(
      model.rows.map(({ info }) => info.id),
      ['a'],
    );
  });

  it('one that failed several times a moment ago still counts as failing, although it is published', async () => {
    const model = new Model();
    const now = Date.parse('2026-11-28T05:00:00Z');
    const closed = [
      sampleClosed({ id: 9, upstream_id: 'a', count: 2, closed_at: '2026-11-28T04:59:30.000Z', live_again_at: 'now' }),
    ];
    await step(model, ['a'], closed, { now });
    assert.deepEqual(states(model), [['a', 'failed']]);
    await step(model, ['a'], closed, { now: now + 31_000 });
    assert.deepEqual(states(model), [['a', 'publishing']]);
  });

  it('dismissed ones return when they fail again; what is dismissed survives the page, and is bounded', async () => {
    const texts = new Map<string, string>();
    const store = {
      getItem: (key: string) => texts.get(key) ?? null,
      setItem: (k: string, v: string) => texts.set(k, v),
    };
    const model = new Model(new Dismissed({ ...store, setItem: (key, text) => void store.setItem(key, text) }));
    const closed = sampleClosed({ id: 21, upstream_id: 'x' });
    await step(model, [], [closed]);
    const [row] = model.rows;
    assert.ok(row !== undefined);
    model.dismiss(row);
    assert.deepEqual(states(model), []);
    assert.equal(model.find('x')?.failure?.record, 21, 'a link still leads to it');
    const later = new Model(new Dismissed({ ...store, setItem: () => undefined }));
    await step(later, [], [closed]);
    assert.deepEqual(states(later), []);
    await step(later, [], [{ ...closed, id: 22, closed_at: '2026-11-28T04:00:00.000Z' }]);
    assert.deepEqual(states(later), [['x', 'failed']]);

    const many = new Dismissed();
    for (let n = 0; n < 600; n++) many.add(`u${n}`, '2026');
    assert.deepEqual(
      [many.has('u0', '2026'), many.has('u599', '2026'), many.has('u599', '2027')],
      [false, true, false],
    );
    assert.equal(new Dismissed({ getItem: () => '{"broken":', setItem: () => undefined }).has('a', ''), false);
  });

  it('sums do not go down when an upstream ends', async () => {
    const model = new Model();
    await step(model, ['a'], []);
    await step(model, [], []);
    assert.deepEqual([model.totals.dropped, model.totals.reconnects], [7, 5]);
  });

  it('what was before the page was opened is in its activity, in the order of time', async () => {
    const model = new Model();
    await step(model, [], [
      sampleClosed({ id: 31, upstream_id: 'late', closed_at: '2026-11-28T04:30:00.000Z' }),
      sampleClosed({ id: 30, upstream_id: 'early', reason: 'done', failed: false }),
    ] satisfies ClosedUpstream[]);
    assert.deepEqual(
      model.history.map(({ id, kind }) => [id, kind]),
      [
        ['early', 'plain'],
        ['late', 'bad'],
      ],
    );
    const [row] = model.rows;
    assert.deepEqual((row?.failure as ClosedInfo).record, 31);
  });
});
