import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { upstreamInfo } from '../../../lib/api/status/rows.js';
import { sameInfo } from '../../../lib/api/status/same-info.js';
import type { TrackStatus, UpstreamStatus } from '../../../lib/upstream/report/status.js';
import {
  sampleInput,
  sampleStream,
  sampleTrack,
  sampleUpstream,
  table,
} from '../../support/management/memory-management.js';

const withTracks = (video?: TrackStatus, audio?: TrackStatus): Partial<UpstreamStatus> => ({
  streams: table([['name', sampleStream({ tracks: { ...(video ? { video } : {}), ...(audio ? { audio } : {}) } })]]),
});

/** Each differs from the sample in one thing that the page shows beside counters. */
const OTHERS: readonly Partial<UpstreamStatus>[] = [
  { connection: 8 },
  { state: 'reconnecting' },
  { reconnects: 3 },
  { remote_addr: '' },
  { local_addr: '' },
  { mem_limit: 1 },
  { next_attempt_at: '2026-11-28T12:00:07.000Z' },
  { url: 'rtmp://127.0.0.1:1935/live/other' },
  { destination: 1, destinations: 3 },
  { destination: 1, destinations: 2, destination_url: 'rtmp://127.0.0.1:1935/live/other' },
  { elsewhere: { url: 'rtmp://host/app/other', backup_urls: [], since: '2026-11-28T12:00:07.000Z' } },
  { last_status: null },
  { last_error: { reason: 'recv_failed', message: 'ECONNRESET', age: 1 } },
  { last_status: { level: 'error', code: 'NetStream.Publish.Start', description: 'Start publishing' } },
  { last_status: { level: 'status', code: 'NetStream.Publish.BadName', description: 'Start publishing' } },
  { last_status: { level: 'status', code: 'NetStream.Publish.Start', description: 'Start' } },
  { streams: table([]) },
  { streams: table([['other', sampleStream()]]) },
  { streams: table([['name', sampleStream({ id: 2 })]]) },
  { streams: table(['name', 'more'].map((name) => [name, sampleStream()])) },
  { streams: table(['more', 'name'].map((name) => [name, sampleStream()])) },
  withTracks(),
  withTracks(sampleTrack()),
  withTracks(undefined, sampleTrack({ codec: 'AAC', input: null })),
  withTracks(sampleTrack({ codec: 'H.265' }), sampleTrack({ codec: 'AAC', input: null })),
  withTracks(sampleTrack({ input: null }), sampleTrack({ codec: 'AAC', input: null })),
  withTracks(sampleTrack(), sampleTrack({ codec: 'AAC' })),
  ...[{ connection: 9 }, { remote_addr: '' }, { channel_id: '' }, { track_id: '' }].map((change) =>
    withTracks(sampleTrack({ input: sampleInput(change) }), sampleTrack({ codec: 'AAC', input: null })),
  ),
];

describe('comparison of upstreams for the status page', () => {
  it('finds no difference if only counters and times changed', () => {
    const input = sampleInput({ received_bytes: 9, received_frames: 9, uptime: 9, latency: null });
    const tracks = withTracks(
      sampleTrack({ sent_frames: 9, delay: 9, input }),
      sampleTrack({ codec: 'AAC', input: null }),
    );
    const later = sampleUpstream({
      ...tracks,
      uptime: 99,
      mem_left: 9,
      sent_bytes: 9,
      written_bytes: 9,
      received_bytes: 9,
    });
    assert.equal(sameInfo(sampleUpstream(), later), true);
    assert.deepEqual(upstreamInfo('u', sampleUpstream()), upstreamInfo('u', later));
  });

  it('finds any other difference', () => {
    const all = [{}, ...OTHERS].map((change) => sampleUpstream(change));
    all.forEach((one, i) =>
      all.forEach((other, j) =>
        assert.equal(sameInfo(one, other), i === j, JSON.stringify([OTHERS[i - 1], OTHERS[j - 1]])),
      ),
    );
  });
});
