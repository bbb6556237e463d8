import type { InputStatus } from '../report/status.js';

/** What a track knows of the KMP connection that feeds it. */
export interface TrackInput {
  /** The connection's number, unique in this process. */
  readonly connection: number;
  /** Video is acknowledged in whole groups of pictures (`kmp_rtmp_in_ack group`). */
  readonly acksGroups: boolean;
  /** Frames that the sender is still to repeat: this service has them, but the sender has not sent them on this connection. */
  readonly toRepeat: number;
  /** All frames below `frameId` are done: the sender may forget them. */
  acknowledge(frameId: bigint): void;
  /** There is nothing more to acknowledge: the connection of a sender that has announced the end is closed. */
  allAcknowledged(): void;
  /** Takes nothing more from the sender; what was taken is acknowledged on, until {@link close}. */
  finish(): void;
  /** Ends the connection: its upstream has ended, or an operator dropped it. */
  close(why: string): void;
  /** True once the connection is closed by this service, or is about to be. */
  readonly isClosed: boolean;
  status(now: number): InputStatus;
}
