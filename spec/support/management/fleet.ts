import type {
  GlobalStatus,
  StreamStatus,
  TrackStatus,
  UpstreamState,
  UpstreamStatus,
} from '../../../lib/upstream/report/status.js';
import { MemoryManagement, sampleInput, sampleTrack, table } from './memory-management.js';

const CODES: Partial<Record<UpstreamState, readonly [level: string, code: string, description: string]>> = {
  publishing: ['status', 'NetStream.Publish.Start', 'Start publishing'],
  reconnecting: ['error', 'NetConnection.Connect.Rejected', 'too many connections'],
};

/** A service with as many upstreams as wanted, whose counters move on when told to. Every run is the same. */
export class Fleet extends MemoryManagement {
  private seconds = 0;

  constructor(count: number) {
    super(
      Array.from({ length: count }, (_, n) => [`ch${n + 1}-${SERVICES[n % SERVICES.length]?.[0]}`, newUpstream(n)]),
    );
  }

  override async status(): Promise<GlobalStatus> {
    return { ...(await super.status()), uptime: 93_784 + Math.floor(this.seconds) };
  }

  /** Lets time pass: every upstream that publishes receives and sends at its rate. */
  advance(seconds = 1): void {
    this.seconds += seconds;
    let n = 0;
    for (const [id, upstream] of this.upstreams) this.upstreams.set(id, this.next(upstream, n++, seconds));
  }

  private next(upstream: UpstreamStatus, n: number, seconds: number): UpstreamStatus {
    const uptime = upstream.uptime + seconds;
    if (upstream.state !== 'publishing') return { ...upstream, uptime };
    const wave = 1 + 0.15 * Math.sin(this.seconds / 7 + n) + 0.05 * Math.sin(this.seconds * 1.7 + n * 3);
    const video = Math.round((1 + (n % 8)) * 62_500 * seconds * wave);
    const audio = Math.round(16_000 * seconds);
    const streams = Object.entries(upstream.streams).map(([name, stream]) => {
      const { video: v, audio: a } = stream.tracks;
      const tracks = {
        video: v && more(v, video, 30 * seconds, wave),
        audio: a && more(a, audio, 47 * seconds, wave),
      };
      return [name, { ...stream, uptime, tracks }] as const;
    });
    return {
      ...upstream,
      uptime,
      mem_left: Math.round(upstream.mem_limit * (1 - memShare(n) * wave)),
      written_bytes: upstream.written_bytes + video + audio,
      sent_bytes: upstream.sent_bytes + video + audio,
      streams: table(streams),
    };
  }
}

const SERVICES = [
  ['twitch', 'rtmp://live.twitch.tv:1935/app/live_52034_kDwq8sPzYvJ2'],
  ['youtube', 'rtmps://a.rtmps.youtube.com/live2/f3k1-99aa-7bxe-h2m8-0d4s'],
  ['facebook', 'rtmps://live-api-s.facebook.com:443/rtmp/FB-1029384756-0-Abzcd?s_bl=1'],
  ['origin', 'rtmp://10.20.0.4/live/main_1080p'],
] as const;

function memShare(n: number): number {
  return n % 37 === 5 ? 0.84 : n % 11 === 3 ? 0.55 : 0.04 + (n % 7) / 60;
}

function newUpstream(n: number): UpstreamStatus {
  const [, url] = SERVICES[n % SERVICES.length] ?? SERVICES[0];
  const state: UpstreamState = n % 41 === 9 ? 'reconnecting' : n % 53 === 17 ? 'connecting' : 'publishing';
  const [level, code, description] = CODES[state] ?? [];
  const up = state === 'publishing';
  return {
    url,
    header: '',
    opaque: '',
    remote_addr: up ? `203.0.113.${n % 250}:1935` : '',
    local_addr: up ? `10.20.0.9:${40_000 + (n % 20_000)}` : '',
    connection: 1000 + n,
    mem_limit: 16_777_216,
    mem_left: Math.round(16_777_216 * (1 - memShare(n))),
    written_bytes: up ? 88_000_000 : 3073,
    sent_bytes: up ? 88_000_000 : 3073,
    received_bytes: 3500,
    streams: table([[url.split('/').slice(4).join('/'), newStream(n)]]),
    state,
    input_stalled: null,
    last_status: code === undefined ? null : { level: level ?? '', code, description: description ?? '' },
    acked_bytes: up ? 87_900_000 : 0,
    reconnects: n % 41 === 9 ? 4 : n % 23 === 1 ? 1 : 0,
    destination: 0,
    destinations: 1,
    destination_url: url,
    elsewhere: null,
    failovers: 0,
    uptime: 60 + n * 97,
    last_error:
      n % 41 === 9 ? { reason: 'connect_rejected', message: 'the server said: too many connections', age: 3 } : null,
    last_error_at: null,
    last_error_layer: null,
    last_error_advice: '',
    next_attempt: n % 41 === 9 ? 7 : null,
    lag_ms: 0,
    degraded: null,
    outage: null,
    next_attempt_at: n % 41 === 9 ? '2026-11-28T12:00:07.000Z' : null,
  };
}

function newStream(n: number): StreamStatus {
  const codec = n % 5 === 2 ? 'H.265' : 'H.264';
  const video = newTrack(n, codec, 2000 + 2 * n, 'v1');
  return { id: 1, uptime: 60, tracks: { video, audio: newTrack(n, 'AAC', 2001 + 2 * n, 'a1') } };
}

function newTrack(n: number, codec: string, connection: number, track_id: string): TrackStatus {
  const input = sampleInput({
    connection,
    track_id,
    channel_id: `channel-${n + 1}`,
    remote_addr: `10.20.1.${n % 250}:${50_000 + n}`,
    skipped_frames: { duplicate: n % 9, empty: 0, empty_duration: 0, no_media_info: 0, no_key: n % 3 },
  });
  return sampleTrack({
    codec,
    input,
    delay: 500 + ((n * 37) % 240),
    dropped_frames: n % 29 === 4 && track_id === 'v1' ? 12 : 0,
    pending_frames: 15,
  });
}

function more(track: TrackStatus, bytes: number, frames: number, wave: number): TrackStatus {
  const { input } = track;
  return {
    ...track,
    sent_frames: track.sent_frames + frames,
    sent_data_bytes: track.sent_data_bytes + bytes,
    delay: Math.round(520 * wave),
    input: input && {
      ...input,
      received_frames: input.received_frames + frames,
      received_key_frames: input.received_key_frames + (track.codec === 'AAC' ? 0 : 1),
      received_bytes: input.received_bytes + bytes + frames * 40,
      received_data_bytes: input.received_data_bytes + bytes,
    },
  };
}
