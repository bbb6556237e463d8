import { maskKey, maskUrl } from '../../base/mask.js';
import type { GlobalStatus, StreamStatus, TrackStatus, UpstreamStatus } from '../../upstream/report/status.js';
import type { ServiceTotals } from '../metrics/service-counters.js';
import type { Ended, InputInfo, ServiceInfo, StreamInfo, Sums, TrackInfo, UpstreamInfo } from './public/data/wire.js';

/** Maximum length of texts for the page, in UTF-16 units. Texts of senders can be arbitrarily long. */
const MAX_LENGTH = { id: 512, text: 256 } as const;

/** The data of an upstream for the page, without counters and without anything that gives access to its destination. */
export function upstreamInfo(id: string, upstream: UpstreamStatus): UpstreamInfo {
  const { url, last_status: last, last_error: error, last_error_layer: layer } = upstream;
  return {
    ...shortenId(id),
    url: shorten(maskUrl(url)),
    elsewhere: upstream.elsewhere && shorten(maskUrl(upstream.elsewhere.url)),
    backup: backupInfo(upstream),
    remoteAddr: upstream.remote_addr,
    localAddr: upstream.local_addr,
    connection: upstream.connection,
    state: upstream.state,
    degraded: upstream.degraded && shorten(upstream.degraded.message),
    // What a server said is masked where it arrives, as are failures.
    lastStatus: last && {
      level: shorten(last.level),
      code: shorten(last.code),
      description: shorten(last.description),
    },
    lastError: error && `${layer === null ? '' : `${layer.toUpperCase()}: `}${error.reason}: ${shorten(error.message)}`,
    lastErrorAt: upstream.last_error_at,
    outage: upstream.outage,
    advice: upstream.last_error_advice,
    ...troubleOf(upstream),
    nextAttempt: upstream.next_attempt_at,
    reconnects: upstream.reconnects,
    memLimit: upstream.mem_limit,
    streams: Object.entries(upstream.streams).map(([name, stream]) => streamInfo(name, stream)),
    ...(upstream.node === undefined ? {} : { node: upstream.node }),
    ...(upstream.also_on === undefined ? {} : { alsoOn: upstream.also_on }),
  };
}

/** What is wrong with an upstream that is published, and for how many s. Nothing in the text changes all the time. */
function troubleOf(upstream: UpstreamStatus): Pick<UpstreamInfo, 'trouble' | 'troubleAge'> {
  const { state, degraded, input_stalled: stalled, streams } = upstream;
  if (state === 'degraded' && degraded !== null) {
    const said = shorten(degraded.message);
    return { trouble: `${said}. Check the uplink and the server, or lower the bitrate.`, troubleAge: degraded.age };
  }
  if (state === 'input_stalled') {
    const trouble = 'A sender is connected but sends no frames. Check the encoder, and its network.';
    return { trouble, troubleAge: stalled ?? 0 };
  }
  if (state !== 'input_lost') return {};
  const ages = Object.values(streams).flatMap(({ tracks }) => [tracks.video?.input_lost, tracks.audio?.input_lost]);
  const trouble = 'No media arrives; the stream stays published. Check the encoder, and its network.';
  return { trouble, troubleAge: Math.max(0, ...ages.map((age) => age ?? 0)) };
}

/** An id for the page, and whether it is shortened. */
export function shortenId(id: string): { id: string; shortened: boolean } {
  return { id: id.slice(0, MAX_LENGTH.id), shortened: id.length > MAX_LENGTH.id };
}

function backupInfo({ destination, destinations, destination_url }: UpstreamStatus): UpstreamInfo['backup'] {
  if (destination === 0) return null;
  return { number: destination, count: destinations - 1, url: shorten(maskUrl(destination_url)) };
}

/** The counters in the order of `UPSTREAM_NUMBERS` and, for each track, of `TRACK_NUMBERS`. */
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
  numbers.push(track.dropped_frames, track.delay, track.lag_ms);
  if (input === null) {
    numbers.push(0, 0, 0, 0, 0, 0, 0, 0);
    return;
  }
  numbers.push(input.received_frames, input.received_key_frames, input.received_bytes);
  const { duplicate, empty, empty_duration, no_media_info, no_key } = input.skipped_frames;
  numbers.push(duplicate, empty, empty_duration, no_media_info, no_key);
}

/** The ended upstreams by reason, without reasons that never occurred. */
export function endedOf({ closed_upstreams: closed }: ServiceTotals): Ended {
  return Object.fromEntries(Object.entries(closed).filter(([, count]) => count > 0));
}

/** Sums that never get smaller, unlike those over the present upstreams. */
export function sumsOf({ frames: { video, audio }, reconnects }: ServiceTotals): Sums {
  return { dropped: video.dropped + audio.dropped, reconnects };
}

export function serviceInfo(status: GlobalStatus): ServiceInfo {
  return { version: status.version, runtime: status.nginx_version, built: status.built, pid: status.pid };
}

function streamInfo(name: string, stream: StreamStatus): StreamInfo {
  return {
    name: shorten(maskKey(name)),
    id: stream.id,
    tracks: tracksOf(stream).map(([media, of]) => trackInfo(media, of)),
  };
}

function trackInfo(media: 'video' | 'audio', { codec, input, media: format }: TrackStatus): TrackInfo {
  return { media, codec, ...(format === undefined ? {} : { format }), input: input && inputInfo(input) };
}

function inputInfo(input: NonNullable<TrackStatus['input']>): InputInfo {
  return {
    connection: input.connection,
    remoteAddr: input.remote_addr,
    channelId: shorten(input.channel_id),
    trackId: shorten(input.track_id),
  };
}

function tracksOf({ tracks }: StreamStatus): (readonly ['video' | 'audio', TrackStatus])[] {
  const { video, audio } = tracks;
  return [...(video ? [['video', video] as const] : []), ...(audio ? [['audio', audio] as const] : [])];
}

export function shorten(text: string): string {
  return text.length > MAX_LENGTH.text ? `${text.slice(0, MAX_LENGTH.text)}…` : text;
}
