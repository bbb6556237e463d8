import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failed, Model } from '../../../lib/api/status/public/data/model.js';
import type { Upstream } from '../../../lib/api/status/public/data/upstream.js';
import type { UpstreamInfo, UpstreamRow } from '../../../lib/api/status/public/data/wire.js';

const SERVICE = { version: '1.0.0', runtime: 'node/20', built: '', pid: 7 };

function info(id: string, changes: Partial<UpstreamInfo> = {}): UpstreamInfo {
  const input = { connection: 2, remoteAddr: '10.0.0.1:5', channelId: 'ch', trackId: 'v1' };
  return {
    id,
    shortened: false,
    url: `rtmp://host/live/${id}`,
    remoteAddr: '',
    localAddr: '',
    connection: 1,
    state: 'publishing',
    degraded: null,
    lastStatus: null,
    lastError: null,
    nextAttempt: null,
    elsewhere: null,
    backup: null,
    reconnects: 0,
    memLimit: 1000,
    streams: [{ name: 's', id: 1, tracks: [{ media: 'video', codec: 'H.264', input }] }],
    ...changes,
  };
}

/** Counters of an upstream with one track, in the order of wire.ts. */
function numbers({
  sent = 0,
  frames = 0,
  received = 0,
  memLeft = 1000,
  dropped = 0,
  delay = 0,
  lag = 0,
} = {}): number[] {
  return [memLeft, sent, sent, 0, 3, 0, frames, 0, dropped, delay, lag, frames, 0, received, 1, 0, 0, 0, 2];
}

function row(key: number, id: string, changes: Partial<UpstreamInfo> = {}, counters = {}): UpstreamRow {
  return { key, info: info(id, changes), uptime: 10, numbers: numbers(counters) };
}

function modelOf(...rows: UpstreamRow[]): Model {
  const model = new Model();
  model.hello({ feed: 'a', api: './api' });
  model.full({ t: 1000, uptime: 5, service: SERVICE, ended: {}, rows }, 1_700_000_000_000);
  return model;
}

function upstream(model: Model, key: number): Upstream {
  const found = model.upstreams.get(key);
  assert.ok(found);
  return found;
}

const NOTHING = { ended: {}, rows: [], counts: [], gone: [] };

describe('model of the status page', () => {
  it('computes rates from counters', () => {
    const model = modelOf(row(1, 'u1'), row(2, 'u2'));
    for (let second = 1; second <= 10; second++) {
      const counters = { sent: 125_000 * second, frames: 30 * second, received: 125_100 * second, delay: 500 };
      const counts = [[1, numbers(counters)]] as const;
      model.tick(
        { ...NOTHING, t: 1000 + second * 1000, uptime: 5 + second, counts },
        1_700_000_000_000 + second * 1000,
      );
    }
    const { bitrateOut, bitrateIn, frames, delay, skipped, uptime, lines } = upstream(model, 1);
    assert.deepEqual(
      { bitrateOut, frames, delay, skipped, uptime },
      {
        bitrateOut: 1_000_000,
        frames: 30,
        delay: 500,
        skipped: 3,
        uptime: 20,
      },
    );
    assert.equal(bitrateIn, 1_000_800);
    assert.equal(upstream(model, 2).bitrateOut, 0, 'counters that stand still are no rate');
    assert.equal(model.totals.bitrateOut, 1_000_000);
    assert.equal(lines.bitrateOut.length, model.times.values.length);
    assert.equal(lines.bitrateOut.at(-1), 1_000_000);
  });

  it('treats a counter that goes back as one that restarted', () => {
    const model = modelOf(row(1, 'u1', {}, { sent: 1_000_000 }));
    model.tick({ ...NOTHING, t: 2000, uptime: 6, counts: [[1, numbers({ sent: 100 })]] }, 1);
    assert.equal(upstream(model, 1).bitrateOut, 0);
    model.tick({ ...NOTHING, t: 3000, uptime: 7, counts: [[1, numbers({ sent: 1100 })]] }, 2);
    assert.equal(upstream(model, 1).bitrateOut, 8000);
  });

  it('reports once that a published upstream receives nothing, and once that it receives data again', () => {
    const model = modelOf(row(1, 'u1'), row(2, 'u2', { state: 'connecting' }));
    const said: string[] = [];
    let received = 0;
    const pass = (seconds: number, bytes: number): void => {
      for (let i = 0; i < seconds; i++) {
        const counts = [[1, numbers({ received: (received += bytes) })]] as const;
        const t = model.times.values.length * 1000;
        for (const { id, what } of model.tick({ ...NOTHING, t: 1000 + t, uptime: 5, counts }, 1_700_000_000_000 + t))
          said.push(`${id} ${what}`);
      }
    };
    pass(5, 100);
    // The rate spans the last four messages; some seconds more, and it is silence.
    pass(4, 0);
    assert.deepEqual([upstream(model, 1).silent, said], [false, []]);
    pass(10, 0);
    assert.deepEqual([upstream(model, 1).silent, said], [true, ['u1 receives nothing from its senders']]);
    pass(1, 100);
    assert.deepEqual([upstream(model, 1).silent, said.slice(1)], [false, ['u1 receives media again']]);
    assert.equal(upstream(model, 2).silent, false, 'what is not published yet is in another trouble');
  });

  it('reports changes, but nothing for the first state', () => {
    const model = new Model();
    model.hello({ feed: 'a', api: null });
    assert.deepEqual(
      model.full({ t: 0, uptime: 0, service: SERVICE, ended: {}, rows: [row(1, 'u1'), row(2, 'u2')] }, 1),
      [],
    );
    const lastStatus = { level: 'error', code: 'NetStream.Publish.BadName', description: 'taken' };
    const rows = [row(1, 'u1', { state: 'reconnecting', lastStatus, lastError: 'recv_failed: reset' }), row(3, 'u3')];
    assert.deepEqual(model.tick({ ...NOTHING, t: 1000, uptime: 1, rows, gone: [2] }, 5), [
      { at: 5, id: 'u2', what: 'ended', kind: 'plain' },
      { at: 5, id: 'u1', what: 'is reconnecting: recv_failed: reset', kind: 'bad' },
      { at: 5, id: 'u1', what: 'server: NetStream.Publish.BadName: taken', kind: 'bad' },
      { at: 5, id: 'u3', what: 'started', kind: 'plain' },
    ]);
    assert.deepEqual(model.tick({ ...NOTHING, t: 2000, uptime: 2, rows: [row(1, 'u1', { lastStatus })] }, 6), [
      { at: 6, id: 'u1', what: 'is publishing', kind: 'good' },
    ]);
  });

  it('reports upstreams that fail between two snapshots', () => {
    const model = modelOf(row(1, 'u1', { state: 'connecting' }));
    const tick = (t: number, ended: Record<string, number>): string[] =>
      model.tick({ ...NOTHING, t, uptime: 6, ended }, 5).map(({ id, what }) => `${id} ${what}`);
    assert.deepEqual(tick(2000, { done: 4, handshake_failed: 2 }), ['2 upstreams failed: handshake_failed']);
    assert.deepEqual(tick(3000, { done: 5, api_delete: 1, handshake_failed: 2 }), []);
    assert.deepEqual(tick(4000, { done: 5, api_delete: 1, handshake_failed: 3, recv_failed: 1 }), [
      'An upstream failed: handshake_failed',
      'An upstream failed: recv_failed',
    ]);
    assert.equal(failed(model.ended), 4);
  });

  it('continues after a pause, with a gap in the lines', () => {
    const model = modelOf(row(1, 'u1'), row(2, 'u2'));
    model.tick({ ...NOTHING, t: 2000, uptime: 6 }, 1_700_000_001_000);
    model.hello({ feed: 'a', api: './api' });
    const happened = model.full(
      { t: 60_000, uptime: 64, service: SERVICE, ended: {}, rows: [row(1, 'u1')] },
      1_700_000_060_000,
    );
    assert.deepEqual(
      happened.map(({ id, what }) => [id, what]),
      [['u2', 'ended']],
    );
    assert.deepEqual(model.times.values, [1_700_000_060]);
    assert.equal(upstream(model, 1).lines.delay.length, 1);
  });

  it('starts over with another feed, because keys differ', () => {
    const model = modelOf(row(1, 'u1'));
    model.hello({ feed: 'b', api: null });
    assert.equal(model.api, null);
    assert.deepEqual(model.full({ t: 10, uptime: 0, service: SERVICE, ended: {}, rows: [row(1, 'other')] }, 9), []);
    assert.deepEqual(
      [...model.upstreams.values()].map((one) => one.info.id),
      ['other'],
    );
  });

  it('keeps two minutes, and pads the lines of later tracks', () => {
    const model = modelOf(row(1, 'u1'));
    for (let second = 1; second <= 200; second++) {
      const rows = second === 150 ? [row(2, 'u2')] : [];
      model.tick({ ...NOTHING, rows, t: 1000 * second, uptime: second }, 1000 * second);
    }
    assert.equal(model.times.values.length, 120);
    for (const key of [1, 2]) assert.equal(upstream(model, key).lines.bitrateOut.length, 120);
    // From the second message on.
    assert.equal(upstream(model, 2).lines.bitrateOut.filter((value) => value !== null).length, 50);
    assert.equal(upstream(model, 2).lines.delay.filter((value) => value !== null).length, 51);
    assert.equal(model.lines.frames.length, 120);
  });

  it('keeps the rates of tracks when other tracks begin and end', () => {
    const model = modelOf(row(1, 'u1', {}, { frames: 0 }));
    model.tick({ ...NOTHING, t: 2000, uptime: 6, counts: [[1, numbers({ frames: 30 })]] }, 1);
    const [stream] = info('u1').streams;
    assert.ok(stream);
    const audio = { media: 'audio', codec: 'AAC', input: null } as const;
    const streams = [{ ...stream, tracks: [...stream.tracks, audio] }];
    const both = {
      ...row(1, 'u1', { streams }),
      numbers: [...numbers({ frames: 60 }), ...numbers({ frames: 9 }).slice(4)],
    };
    model.tick({ ...NOTHING, t: 3000, uptime: 7, rows: [both] }, 2);
    const [video, second] = upstream(model, 1).tracks;
    assert.equal(video?.framesOut, 30);
    assert.equal(second?.framesOut, 0);
    assert.equal(second?.counters.sentFrames, 9);
  });
});
