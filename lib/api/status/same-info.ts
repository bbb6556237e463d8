import type { StreamStatus, TrackStatus, UpstreamStatus } from '../../upstream/report/status.js';

/**
 * Returns whether the page shows two states of an upstream alike, counters and times aside. It is called for every
 * upstream once a second, so it compares the states themselves: to build `upstreamInfo` of both costs much more.
 */
export function sameInfo(a: UpstreamStatus, b: UpstreamStatus): boolean {
  return (
    a.connection === b.connection &&
    a.node === b.node &&
    a.also_on?.join() === b.also_on?.join() &&
    a.state === b.state &&
    a.reconnects === b.reconnects &&
    a.remote_addr === b.remote_addr &&
    a.local_addr === b.local_addr &&
    a.mem_limit === b.mem_limit &&
    a.url === b.url &&
    a.destination === b.destination &&
    a.destinations === b.destinations &&
    a.destination_url === b.destination_url &&
    a.elsewhere?.url === b.elsewhere?.url &&
    a.last_status?.level === b.last_status?.level &&
    a.last_status?.code === b.last_status?.code &&
    a.last_status?.description === b.last_status?.description &&
    a.last_error?.reason === b.last_error?.reason &&
    a.last_error?.message === b.last_error?.message &&
    a.last_error_at === b.last_error_at &&
    a.outage?.since === b.outage?.since &&
    a.outage?.attempts === b.outage?.attempts &&
    a.degraded?.message === b.degraded?.message &&
    a.next_attempt_at === b.next_attempt_at &&
    sameStreams(a.streams, b.streams)
  );
}

type Streams = UpstreamStatus['streams'];

function sameStreams(a: Streams, b: Streams): boolean {
  // Both have no prototype, so any name is valid. The order matters, because counters are sent without names.
  const names = Object.keys(b);
  let index = 0;
  for (const name in a) {
    const [one, other] = [a[name], b[name]];
    if (names[index++] !== name || !one || !other || !sameStream(one, other)) return false;
  }
  return index === names.length;
}

function sameStream(a: StreamStatus, b: StreamStatus): boolean {
  return a.id === b.id && sameTrack(a.tracks.video, b.tracks.video) && sameTrack(a.tracks.audio, b.tracks.audio);
}

function sameTrack(a: TrackStatus | undefined, b: TrackStatus | undefined): boolean {
  return (
    a?.codec === b?.codec &&
    sameMedia(a?.media, b?.media) &&
    a?.input?.connection === b?.input?.connection &&
    a?.input?.remote_addr === b?.input?.remote_addr &&
    a?.input?.channel_id === b?.input?.channel_id &&
    a?.input?.track_id === b?.input?.track_id
  );
}

function sameMedia(a: TrackStatus['media'] | undefined, b: TrackStatus['media'] | undefined): boolean {
  return (
    a?.bitrate === b?.bitrate &&
    a?.width === b?.width &&
    a?.height === b?.height &&
    a?.frame_rate === b?.frame_rate &&
    a?.key_frame_interval === b?.key_frame_interval &&
    a?.channels === b?.channels &&
    a?.sample_rate === b?.sample_rate
  );
}
