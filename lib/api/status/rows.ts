import { maskIn, maskKey, maskUrl } from '../../base/mask.js';
import type { GlobalStatus, StreamStatus, TrackStatus, UpstreamStatus } from '../../upstream/report/status.js';
import type { ServiceTotals } from '../service-counters.js';
import type { Ended, InputInfo, ServiceInfo, StreamInfo, TrackInfo, UpstreamInfo } from './public/wire.js';

/** Longest text of each kind that the page is sent, in UTF-16 units: what comes from a sender is long only on purpose. */
const LONGEST = { id: 512, text: 256 } as const;

/** What the page is told of an upstream beside its counters, without anything that gives access to its destination. */
export function upstreamInfo(id: string, upstream: UpstreamStatus): UpstreamInfo {
  const { url, last_status: last, last_error: error } = upstream;
  const secrets = secretsOf(upstream);
  return {
    id: id.slice(0, LONGEST.id),
    cut: id.length > LONGEST.id,
    url: cut(maskUrl(url)),
    remoteAddr: upstream.remote_addr,
    localAddr: upstream.local_addr,
    connection: upstream.connection,
    state: upstream.state,
    // Servers like to repeat the stream's name ("Publishing live_1234").
    lastStatus: last && {
      level: cut(maskIn(last.level, secrets)),
      code: cut(maskIn(last.code, secrets)),
      description: cut(maskIn(last.description, secrets)),
    },
    lastError: error && `${error.reason}: ${cut(maskIn(error.message, secrets))}`,
    reconnects: upstream.reconnects,
    memLimit: upstream.mem_limit,
    streams: Object.entries(upstream.streams).map(([name, stream]) => streamInfo(name, stream)),
  };
}

/** The counters in the order of `UPSTREAM_NUMBERS` and, for each track, `TRACK_NUMBERS`. */
export function upstreamNumbers(upstream: UpstreamStatus): number[] {
  const numbers = [upstream.mem_left, upstream.written_bytes, upstream.sent_bytes, upstream.received_bytes];
  for (const { tracks } of Object.values(upstream.streams)) {
    if (tracks.video) addTrack(numbers, tracks.video);
    if (tracks.audio) addTrack(numbers, tracks.audio);
  }
  return numbers;
}

function addTrack(numbers: number[], track: TrackStatus): void {
  const { input } = track;
  numbers.push(track.pending_frames, track.mem_used, track.sent_frames, track.sent_data_bytes);
  numbers.push(track.dropped_frames, track.delay);
  if (input === null) {
    numbers.push(0, 0, 0, 0, 0, 0, 0, 0);
    return;
  }
  numbers.push(input.received_frames, input.received_key_frames, input.received_bytes);
  const { duplicate, empty, empty_duration, no_media_info, no_key } = input.skipped_frames;
  numbers.push(duplicate, empty, empty_duration, no_media_info, no_key);
}

/** Without the reasons that never came up. */
export function endedOf({ closed_upstreams: closed }: ServiceTotals): Ended {
  return Object.fromEntries(Object.entries(closed).filter(([, count]) => count > 0));
}

export function serviceInfo(status: GlobalStatus): ServiceInfo {
  return { version: status.version, runtime: status.nginx_version, built: status.built, pid: status.pid };
}

function streamInfo(name: string, stream: StreamStatus): StreamInfo {
  return {
    name: cut(maskKey(name)),
    id: stream.id,
    tracks: tracksOf(stream).map(([media, of]) => trackInfo(media, of)),
  };
}

function trackInfo(media: 'video' | 'audio', { codec, input }: TrackStatus): TrackInfo {
  return { media, codec, input: input && inputInfo(input) };
}

function inputInfo(input: NonNullable<TrackStatus['input']>): InputInfo {
  return {
    connection: input.connection,
    remoteAddr: input.remote_addr,
    channelId: cut(input.channel_id),
    trackId: cut(input.track_id),
  };
}

function tracksOf({ tracks }: StreamStatus): (readonly ['video' | 'audio', TrackStatus])[] {
  const { video, audio } = tracks;
  return [...(video ? [['video', video] as const] : []), ...(audio ? [['audio', audio] as const] : [])];
}

/** Whatever may name the stream: the names of the streams, with and without their query, and the end of the URL. */
function secretsOf({ url, streams }: UpstreamStatus): Set<string> {
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').split('/');
  const names = [...Object.keys(streams), path.slice(2).join('/'), path.at(-1) ?? ''];
  return new Set(names.flatMap((name) => [name, name.split(/[?#]/, 1)[0] ?? '']));
}

function cut(text: string): string {
  return text.length > LONGEST.text ? `${text.slice(0, LONGEST.text)}…` : text;
}
