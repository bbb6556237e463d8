import type { AckedBytes } from '../../../rtmp/chunk/acked-bytes.js';
import type { CloseReason } from '../../report/close-reason.js';
import type { Track, TrackStream } from '../../tracks/track.js';
import type { EncoderOwner } from './frame-encoder.js';
import { ResendPolicy } from './resend-policy.js';
import type { RtmpConnection, RtmpConnectionOptions } from '../rtmp-connection.js';
import { announceChange } from '../stream-announcer.js';
import { TrackEnds } from './track-ends.js';

/** What the delivery needs from the upstream. */
export interface DeliveryOwner {
  /** True while the upstream is being dropped. Its tracks then end as soon as all frames are written. */
  readonly isDropping: boolean;
  /** A track without an input has written all its frames, and none of them has to be written again. */
  trackEnded(track: Track): void;
  fail(reason: CloseReason, message: string): void;
}

/**
 * Tracks the delivery of written frames. It decides which frames are kept because they may have to be written again,
 * and which tracks end because everything has arrived. All events that change this come here.
 */
export class Delivery implements EncoderOwner {
  private readonly resend: ResendPolicy;
  private readonly trackEnds: TrackEnds;

  /** @param connectionOf returns the connection of a stream */
  constructor(
    options: Pick<RtmpConnectionOptions, 'settings' | 'canReconnect' | 'clock' | 'ledger'>,
    private readonly connectionOf: (stream: TrackStream) => RtmpConnection | undefined,
    private readonly owner: DeliveryOwner,
  ) {
    const { settings, canReconnect, clock, ledger } = options;
    this.resend = new ResendPolicy(settings, canReconnect, ledger, () => clock.now());
    const doubtUntil = (track: Track): number =>
      owner.isDropping ? 0 : this.resend.doubtUntil(track, connectionOf(track.stream));
    this.trackEnds = new TrackEnds(clock, doubtUntil, (track) => owner.trackEnded(track));
  }

  /** The input of the track has left, or its last frame was written. */
  trackWritten(track: Track): void {
    this.trackEnds.check(track);
  }

  mediaInfoChanged(track: Track, ms: number): void {
    const connection = this.connectionOf(track.stream);
    if (connection !== undefined)
      announceChange(track, ms, connection, (reason, message) => this.fail(reason, message));
  }

  framesSent(track: Track, acked: AckedBytes): void {
    const connection = this.connectionOf(track.stream);
    // Without a connection, the stream has ended, or is in another session by now. The frames that were written here
    // are forgotten here, or in ResendPolicy.framesLost.
    if (connection === undefined) track.forgetRetained((kept) => track.isGone || kept.acked === acked);
    else this.resend.sent(track, connection);
    this.trackEnds.deliveryChanged();
  }

  framesLost(track: Track, acked: AckedBytes): void {
    this.resend.framesLost(track, acked);
  }

  /** The track has left its stream. */
  trackRemoved(track: Track): void {
    const connection = this.connectionOf(track.stream);
    if (connection !== undefined) this.resend.sent(track, connection);
  }

  /** The server has acknowledged bytes. */
  acknowledged(): void {
    this.trackEnds.deliveryChanged();
  }

  /** connect is answered, or counts as unanswered for good. From now on, frames are kept only for a reconnect. */
  connectAnswered(connection: RtmpConnection, tracks: readonly Track[]): void {
    this.resend.connectAnswered(connection, tracks);
    this.trackEnds.deliveryChanged();
  }

  /** A connection is closed. After this, its tracks must be moved; {@link tracksMoved} reports that. */
  connectionLost(connection: RtmpConnection, tracks: readonly Track[]): void {
    this.resend.connectionLost(connection, tracks);
  }

  /** The tracks of a lost connection are on another one. Their kept frames are in their queues again. */
  tracksMoved(): void {
    this.trackEnds.deliveryChanged();
  }

  stop(): void {
    this.trackEnds.stop();
  }

  fail(reason: CloseReason, message: string): void {
    this.owner.fail(reason, message);
  }
}
