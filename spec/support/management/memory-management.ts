import { DEFAULT_CLOSED, type ClosedQuery, type ClosedUpstream } from '../../../lib/upstream/report/closed.js';
import type { DrainControl } from '../../../lib/upstream/report/drain.js';
import type {
  ElsewhereUrls,
  OperatorOrder,
  OrderAnswer,
  OrderScope,
  StandingOrder,
} from '../../../lib/upstream/report/orders.js';
import type {
  GlobalStatus,
  InputStatus,
  Management,
  StreamStatus,
  TrackStatus,
  UpstreamIds,
  UpstreamStatus,
  UpstreamStatuses,
} from '../../../lib/upstream/report/status.js';

/** A table without a prototype, as the API wants it: `__proto__` is a key like any other. */
export function table<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const result = Object.create(null) as Record<string, T>;
  for (const [key, value] of entries) result[key] = value;
  return result;
}

/** What a server of the replaced module showed for a video sender (docs/protocol/kmp.md, Input counters). */
export function sampleInput(changes: Partial<InputStatus> = {}): InputStatus {
  return {
    connection: 8,
    remote_addr: '127.0.0.1:53638',
    channel_id: 'ch1',
    track_id: 'v1',
    uptime: 0,
    received_bytes: 404565,
    received_data_bytes: 399463,
    received_frames: 120,
    received_key_frames: 4,
    last_created: 142005312357030,
    skipped_frames: { duplicate: 1, empty: 2, empty_duration: 0, no_media_info: 3, no_key: 4 },
    latency: { min: 19573963851510, max: 19573964208450, avg: 19573964029951 },
    ...changes,
  };
}

export function sampleTrack(changes: Partial<TrackStatus> = {}): TrackStatus {
  return {
    pending_frames: 15,
    mem_used: 51000,
    input: sampleInput(),
    codec: 'H.264',
    media: { bitrate: 2_500_000, width: 1280, height: 720, frame_rate: 30, key_frame_interval: 2000 },
    sent_frames: 105,
    sent_data_bytes: 348463,
    resent_frames: 4,
    dropped_frames: 6,
    slate_frames: 0,
    slate: false,
    delay: 512.5,
    input_lost: null,
    lag_ms: 498,
    ...changes,
  };
}

export function sampleStream(changes: Partial<StreamStatus> = {}): StreamStatus {
  return {
    id: 1,
    uptime: 12,
    tracks: {
      video: sampleTrack(),
      audio: sampleTrack({ codec: 'AAC', input: null, sent_frames: 205, dropped_frames: 0, delay: 600 }),
    },
    ...changes,
  };
}

export function sampleUpstream(changes: Partial<UpstreamStatus> = {}): UpstreamStatus {
  return {
    url: 'rtmp://127.0.0.1:1935/live/name',
    header: '',
    opaque: '{"remote_id":"1"}',
    remote_addr: '127.0.0.1:1935',
    local_addr: '127.0.0.1:41002',
    connection: 7,
    mem_limit: 16777216,
    mem_left: 16700000,
    written_bytes: 500000,
    sent_bytes: 400000,
    received_bytes: 3073,
    streams: table([['name', sampleStream()]]),
    state: 'publishing',
    input_stalled: null,
    last_status: { level: 'status', code: 'NetStream.Publish.Start', description: 'Start publishing' },
    degraded: null,
    outage: null,
    acked_bytes: 5000,
    lag_ms: 498,
    reconnects: 2,
    destination: 0,
    destinations: 1,
    destination_url: 'rtmp://127.0.0.1:1935/live/name',
    elsewhere: null,
    failovers: 0,
    uptime: 12,
    last_error: null,
    last_error_at: null,
    last_error_layer: null,
    last_error_advice: '',
    next_attempt: null,
    next_attempt_at: null,
    ...changes,
  };
}

export function sampleClosed(changes: Partial<ClosedUpstream> = {}): ClosedUpstream {
  return {
    id: 1,
    upstream_id: 'u9',
    url: 'rtmp://live.example.com/app/li***',
    reason: 'publish_rejected',
    message: 'the server says: NetStream.Publish.Unauthorized: the key is not known',
    advice: 'The server refused the key: check it at the platform.',
    layer: 'rtmp',
    failed: true,
    last_status: { level: 'error', code: 'NetStream.Publish.Unauthorized', description: 'the key is not known' },
    started_at: '2026-11-28T02:13:00.000Z',
    since: '2026-11-28T02:13:01.000Z',
    closed_at: '2026-11-28T02:14:00.000Z',
    attempts: 12,
    count: 12,
    connection: 31,
    lost: { dropped_frames: 3, unacked_frames: 48 },
    live_again_at: null,
    ...changes,
  };
}

export function sampleOrder(changes: Partial<StandingOrder> = {}): StandingOrder {
  return {
    order: 1,
    kind: 'disabled',
    upstream_id: 'u9',
    route: null,
    url: null,
    backup_urls: [],
    since: '2026-11-28T02:14:00.000Z',
    by: 'night',
    ...changes,
  };
}

/** The service behind the API, as a table in memory; what was dropped is gone from the table. */
export class MemoryManagement implements Management {
  /** What a node of a fleet has; undefined: this is none. */
  drain: DrainControl | undefined = {
    status: () => ({ draining: false, moved: 0, left: 0 }),
    begin: () => ({ draining: true, moved: 0, left: 2 }),
    end: () => ({ draining: false, moved: 1, left: 0 }),
  };
  readonly upstreams: Map<string, UpstreamStatus>;
  readonly dropped: string[] = [];
  /** What has ended, the last end first. */
  readonly ended: ClosedUpstream[] = [];
  /** When set, every call fails with it. */
  failure: Error | undefined;
  calls = 0;
  /** The ids of the upstreams whose status was built. */
  readonly built: string[] = [];

  constructor(upstreams: Iterable<readonly [string, UpstreamStatus]> = []) {
    this.upstreams = new Map(upstreams);
  }

  async status(): Promise<GlobalStatus> {
    this.called();
    this.built.push(...this.upstreams.keys());
    return {
      version: '0.1.0',
      nginx_version: 'node/20.20.2',
      compiler: 'typescript/6.0.2',
      built: '2026-01-01T00:00:00.000Z',
      pid: 12828,
      uptime: 2,
      upstreams: table(this.upstreams),
    };
  }

  async upstreamIds(): Promise<UpstreamIds> {
    this.called();
    return { ids: [...this.upstreams.keys()] };
  }

  async statusOf(ids: readonly string[]): Promise<UpstreamStatuses> {
    this.called();
    this.built.push(...ids);
    return {
      upstreams: table(
        ids.flatMap((id) => {
          const upstream = this.upstreams.get(id);
          return upstream === undefined ? [] : [[id, upstream] as const];
        }),
      ),
    };
  }

  async upstream(id: string): Promise<UpstreamStatus | undefined> {
    this.called();
    return this.upstreams.get(id);
  }

  async closed({ limit = DEFAULT_CLOSED, upstreamId }: ClosedQuery = {}): Promise<readonly ClosedUpstream[]> {
    if (this.failure) throw this.failure;
    return this.ended
      .filter(({ upstream_id }) => upstreamId === undefined || upstream_id === upstreamId)
      .slice(0, limit);
  }

  async dropUpstream(id: string): Promise<boolean> {
    this.called();
    this.dropped.push(id);
    return this.upstreams.delete(id);
  }

  /** The orders that were given, as text. */
  readonly given: string[] = [];
  /** The orders in force. Tests put them here. */
  readonly standing: StandingOrder[] = [];

  async orders(): Promise<readonly StandingOrder[]> {
    if (this.failure) throw this.failure;
    return [...this.standing];
  }

  async takeBack(order: number): Promise<OrderAnswer> {
    this.called();
    const index = this.standing.findIndex((one) => one.order === order);
    if (index < 0) return undefined;
    this.standing.splice(index, 1);
    return 0;
  }

  async order(order: OperatorOrder, scope: OrderScope): Promise<OrderAnswer> {
    this.called();
    if (order === 'disable' && this.refusal !== undefined) return this.refusal;
    this.given.push(`${order} ${'id' in scope ? scope.id : scope.route}`);
    if (!('id' in scope)) return this.upstreams.size;
    const upstream = this.upstreams.get(scope.id);
    if (upstream === undefined) return undefined;
    const state = order === 'disable' ? 'disabled' : 'connecting';
    if (order !== 'retry') this.upstreams.set(scope.id, { ...upstream, state });
    return 1;
  }

  /** The answer to orders to disable upstreams or send them elsewhere. While it is set, they are not carried out. */
  refusal: OrderAnswer;

  async sendElsewhere(scope: OrderScope, to: ElsewhereUrls | undefined): Promise<OrderAnswer> {
    this.called();
    this.given.push(`elsewhere ${'id' in scope ? scope.id : scope.route} ${to?.url ?? 'back'}`);
    if (this.refusal !== undefined) return this.refusal;
    if (!('id' in scope)) return this.upstreams.size;
    const upstream = this.upstreams.get(scope.id);
    if (upstream === undefined) return undefined;
    const elsewhere = to && { url: to.url, backup_urls: to.backupUrls, since: '2026-11-28T02:14:00.000Z' };
    this.upstreams.set(scope.id, { ...upstream, elsewhere: elsewhere ?? null });
    return 1;
  }

  async dropTrack(upstreamId: string, connection: number): Promise<boolean> {
    this.called();
    const streams = Object.values(this.upstreams.get(upstreamId)?.streams ?? {});
    const inputs = streams.flatMap(({ tracks }) => [tracks.video?.input, tracks.audio?.input]);
    const found = inputs.some((input) => input?.connection === connection);
    if (found) this.dropped.push(`${upstreamId} ${connection}`);
    return found;
  }

  private called(): void {
    this.calls++;
    if (this.failure) throw this.failure;
  }
}
