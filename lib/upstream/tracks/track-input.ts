import type { InputStatus } from '../report/status.js';

/** What a track knows of the KMP connection that feeds it. */
export interface TrackInput {
  /** The connection's number, unique in this process. */
  readonly connection: number;
  /** All frames below `frameId` are done: the sender may forget them. */
  acknowledge(frameId: bigint): void;
  /** Takes nothing more from the sender; what was taken is acknowledged on, until {@link close}. */
  finish(): void;
  /** Ends the connection: its upstream has ended, or an operator dropped it. */
  close(why: string): void;
  status(now: number): InputStatus;
}
