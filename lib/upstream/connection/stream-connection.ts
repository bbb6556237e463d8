import type { Line } from './rtmp-connection.js';
import type { UpstreamStream } from '../tracks/stream.js';
import type { Track } from '../tracks/track.js';

/**
 * Metadata, sequence headers, and frames may go, once the stream's tracks are settled and the server knows the stream.
 * Tracks that have been announced on this connection already are not announced again.
 */
export function activate(stream: UpstreamStream): void {
  const { line, state } = stream;
  if (!stream.settled || line === undefined || !state.published) return;
  line.askForAcks();
  const fresh = stream.allTracks().filter((track) => !track.ready);
  for (const track of fresh) {
    track.applyChanges(track.head?.seq ?? track.ids.next);
    stream.link?.chargeInfo(track);
  }
  const ok = line.sink.charged('write_meta_failed', () => {
    line.session.metadata(state, stream.videoInfo, stream.audioInfo);
    for (const track of fresh) {
      line.session.sequenceHeader(state, track.info);
      track.ready = true;
    }
  });
  if (ok) line.merger.changed();
}

/** The track's media info has changed in mid-stream: fresh metadata and a fresh sequence header. */
export function announce(track: Track): void {
  const { stream, info } = track;
  const { line, state } = stream;
  stream.link?.chargeInfo(track);
  line?.sink.charged('write_meta_failed', () => {
    line.session.metadata(state, stream.videoInfo, stream.audioInfo);
    line.session.sequenceHeader(state, info);
  });
}

/**
 * Moves a stream with its queued frames to another connection.
 *
 * @param broken its connection is gone: what may not have arrived is written again, beginning at a key frame. Else that
 *   connection still sends what it has
 */
export function moveStream(stream: UpstreamStream, to: Line, broken: boolean): void {
  const tracks = stream.allTracks();
  if (!broken) stream.line?.leave(tracks);
  for (const track of tracks) {
    stream.line?.merger.remove(track);
    track.ready = false;
    if (broken) track.requeue();
  }
  if (broken) stream.beginAtKey();
  stream.moveTo(to);
  for (const track of tracks) {
    to.merger.add(track);
    to.merger.changed(track);
  }
  activate(stream);
}

/** The tracks of those streams that go by `line`. */
export function tracksBy(streams: Iterable<UpstreamStream>, line: Line): Track[] {
  return [...streams].filter((stream) => stream.line === line).flatMap((stream) => stream.allTracks());
}

/** Ids of the codecs that the streams' frames to come have. */
export function codecsOf(streams: Iterable<UpstreamStream>): number[] {
  return [...streams].flatMap((stream) => stream.allTracks().map((track) => track.latestInfo.codecId));
}
