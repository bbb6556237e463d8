import { audioInfoPacket, connectPacket, videoInfoPacket } from './kmp-bytes.js';
import { AUDIO_FPS, VIDEO_FPS, type LoadPlan } from './messages.js';

/** One KMP connection of the load. */
export interface Track {
  /** Unique over the run; it is in every stamp. */
  readonly index: number;
  readonly audio: boolean;
  readonly upstream: number;
  readonly stream: number;
  /** Time from frame to frame. */
  readonly stepMs: number;
  /** Bits a second. */
  readonly bitrate: number;
}

export function trackList(plan: LoadPlan): Track[] {
  const tracks: Track[] = [];
  const add = (upstream: number, stream: number, audio: boolean, meanBytes: number, fps: number): void => {
    if (meanBytes === 0) return;
    const bitrate = Math.round(meanBytes * 8 * fps);
    tracks.push({ index: tracks.length, audio, upstream, stream, stepMs: 1000 / fps, bitrate });
  };
  for (let upstream = 0; upstream < plan.upstreams; upstream++) {
    for (let stream = 0; stream < plan.streamsPerUpstream; stream++) {
      add(upstream, stream, false, plan.videoBytes, VIDEO_FPS);
      add(upstream, stream, true, plan.audioBytes, AUDIO_FPS);
    }
  }
  return tracks;
}

/** What a sender says first: `cnct` and `minf`. */
export function greeting(track: Track, rtmpPort: number): Buffer {
  const name = `s${track.upstream}-${track.stream}`;
  const url = `rtmp://127.0.0.1:${rtmpPort}/app/${name}`;
  const connect = connectPacket(name, track.audio ? 'a1' : 'v1', { upstream_id: `u${track.upstream}`, url });
  const info = track.audio ? audioInfoPacket(track.bitrate) : videoInfoPacket(track.bitrate, VIDEO_FPS);
  return Buffer.concat([connect, info]);
}
