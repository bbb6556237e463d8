import type { Frame } from '../media/frame.js';
import type { MediaInfo } from '../media/media-info.js';
import type { FrameSink } from '../merge/merger.js';
import type { OutputBatch } from '../rtmp/network/publisher.js';
import type { SessionWriter, StreamState } from '../rtmp/session-writer.js';
import type { StreamTrack } from './stream-track.js';

/** Encodes the merged frames of a {@link StreamMerger}. */
export class StreamSink implements FrameSink<StreamTrack, OutputBatch> {
  readonly tracks: StreamTrack[] = [];
  /** Called after the last frame of an ended track was written. */
  onTrackEnded: (track: StreamTrack) => void = () => {};
  /** undefined until the stream may be written to. No frame is encoded before. */
  stream: StreamState | undefined;

  constructor(readonly session: SessionWriter) {}

  get encodedBytes(): number {
    return this.session.out.length;
  }

  frame(track: StreamTrack, frame: Frame): void {
    if (track.applyChanges(frame.seq)) this.headers([track], frame.ms);
    const { info, tagHead } = track;
    const { stream } = this;
    if (stream !== undefined && info !== undefined && tagHead !== undefined) {
      this.session.frame(stream, tagHead, frame, info.timescale);
    }
    track.taken(frame);
  }

  drained(track: StreamTrack): void {
    this.onTrackEnded(track);
  }

  take(): OutputBatch {
    const bytes = this.encodedBytes;
    return { buffers: this.session.out.take(), bytes };
  }

  /**
   * The metadata of the whole stream, and the sequence headers of `tracks`.
   *
   * @param ms dts of the frame that they precede; default: that of the last frame
   */
  headers(tracks: readonly StreamTrack[], ms?: number): void {
    const { stream } = this;
    if (stream === undefined) return;
    const video = this.infoOf('video');
    const audio = this.infoOf('audio');
    this.session.metadata(
      stream,
      video?.mediaType === 'video' ? video : undefined,
      audio?.mediaType === 'audio' ? audio : undefined,
      ms,
    );
    for (const info of [video, audio]) {
      if (info !== undefined && tracks.some((track) => track.info === info)) {
        this.session.sequenceHeader(stream, info, ms);
      }
    }
  }

  unpublish(): void {
    if (this.stream !== undefined) this.session.unpublish(this.stream);
  }

  infoOf(mediaType: MediaInfo['mediaType']): MediaInfo | undefined {
    return this.tracks.find(({ info }) => info?.mediaType === mediaType)?.info;
  }
}
