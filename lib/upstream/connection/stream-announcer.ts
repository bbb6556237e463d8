import { sameMediaInfo, type AudioInfo, type MediaInfo, type VideoInfo } from '../../media/media-info.js';
import type { StreamState } from '../../rtmp/session-writer.js';
import type { CloseReason } from '../report/close-reason.js';
import { tracksOf } from '../tracks/stream.js';
import type { Track, TrackStream } from '../tracks/track.js';
import type { RtmpConnection } from './rtmp-connection.js';

/** The message of an upstream that ends because its media infos reach the memory limit. */
export const NO_ROOM = 'the memory limit leaves no room for the codec private data';

/** Ends the upstream. */
type Fail = (reason: CloseReason, message: string) => void;

/**
 * Writes metadata and sequence headers of a stream to `connection`, as soon as the stream's tracks are known and the
 * server knows the stream. After that, its frames may follow. A track is not announced again if this connection has
 * announced it already, or if it returns with the last announced media info (docs/protocol/behaviour.md, Lifetimes).
 */
export function announceStream(stream: TrackStream, connection: RtmpConnection, fail: Fail): void {
  const { state } = stream;
  if (!stream.settled || !state.live) return;
  connection.askForAcks();
  const fresh = tracksOf(stream).filter((track) => !track.ready);
  if (fresh.length === tracksOf(stream).length) connection.leaveOutOld(stream);
  for (const track of fresh) {
    track.slate?.switchTo(false);
    track.applyChanges(track.headSeq ?? track.ids.next);
    chargeInfos(track, fail);
  }
  const { writer, encoder, merger } = connection;
  const unknown = fresh.filter(({ info }) => !isAnnounced(state, info));
  const isFirst = state.announcedInfos.video === undefined && state.announcedInfos.audio === undefined;
  const ok =
    (unknown.length === 0 && !isFirst) ||
    encoder.charged('write_meta_failed', () => {
      writer.metadata(state, videoInfo(stream), audioInfo(stream));
      for (const { info } of unknown) writer.sequenceHeader(state, info);
    });
  for (const track of fresh) track.ready = ok;
  if (ok) merger.changed();
}

/**
 * Writes metadata and a sequence header in the middle of a stream, because the media info of `track` has changed.
 *
 * @param ms dts of the first frame that it applies to
 */
export function announceChange(track: Track, ms: number, connection: RtmpConnection, fail: Fail): void {
  const { stream } = track;
  const { info } = shownOf(track);
  chargeInfos(track, fail);
  const { writer, encoder } = connection;
  encoder.charged('write_meta_failed', () => {
    writer.metadata(stream.state, videoInfo(stream), audioInfo(stream), ms);
    writer.sequenceHeader(stream.state, info, ms);
  });
}

function isAnnounced({ announcedInfos }: StreamState, info: MediaInfo): boolean {
  const last = announcedInfos[info.mediaType];
  return last !== undefined && sameMediaInfo(last, info);
}

function chargeInfos(track: Track, fail: Fail): void {
  if (!track.chargeInfos()) fail('add_media_info_failed', NO_ROOM);
}

function videoInfo({ tracks }: TrackStream): VideoInfo | undefined {
  const info = tracks.video && shownOf(tracks.video).info;
  return info?.mediaType === 'video' ? info : undefined;
}

function audioInfo({ tracks }: TrackStream): AudioInfo | undefined {
  const info = tracks.audio && shownOf(tracks.audio).info;
  return info?.mediaType === 'audio' ? info : undefined;
}

/** The media of the frames that are written now: that of the sender, or of the slate. */
function shownOf(track: Track): { readonly info: MediaInfo } {
  return track.slate?.shown ?? track;
}
