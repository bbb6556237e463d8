import type { InputStatus } from '../report/status.js';

/** The KMP connection of a track, as the track sees it. */
export interface TrackInput {
  /** The connection's number, unique in this process. */
  readonly connection: number;
  /** IP address of the sender, without its port. */
  readonly address: string;
  /** True if video is acknowledged in whole groups of pictures (`kmp_rtmp_in_ack group`). */
  readonly acksGroups: boolean;
  /**
   * The number of frames that the sender will repeat. This service has them, but the sender has not sent them on this
   * connection.
   */
  readonly toRepeat: number;
  /** All frames below `frameId` are done, so the sender may forget them. */
  acknowledge(frameId: bigint): void;
  /** All frames are acknowledged. Closes the connection if its sender has announced the end. */
  allAcknowledged(): void;
  /** Accepts nothing more from the sender. Accepted frames are still acknowledged, until {@link close}. */
  finish(): void;
  /** Ends the connection: its upstream has ended, or an operator dropped it. */
  close(why: string): void;
  /** Ends the connection because of an error of its sender. */
  reject(error: Error): void;
  /** True once this service has closed the connection, or is about to. */
  readonly isClosed: boolean;
  status(now: number): InputStatus;
}
