import { ServerReader, type ServerEvent } from '../../../rtmp/server-reader.js';
import type { Clock } from '../../../time/clock.js';
import { turnShareOf, type TurnShare } from '../../../time/turn-share.js';

/** Bytes of the server's messages that are handled in one piece, before other work has its turn. */
const REPLY_BYTES = 16 * 1024;

/** The connection that the messages come from. */
export interface RepliesOwner {
  /** True once nothing is handled any more. */
  readonly isOver: boolean;
  handle(event: ServerEvent): void;
  /** Reads nothing more from the server for the moment. */
  pauseReplies(): void;
  resumeReplies(): void;
}

/** Reads the messages of one server, and shares the work for them with that for others. */
export class ServerReplies {
  private readonly reader: ServerReader;
  private readonly share: TurnShare;
  /** True while messages of the server wait for their turn. */
  private waits = false;

  constructor(
    clock: Clock,
    private readonly owner: RepliesOwner,
  ) {
    this.reader = new ServerReader({ now: () => clock.now() });
    this.share = turnShareOf(clock);
  }

  /** The answer to a createStream will come. */
  expectStream(): void {
    this.reader.expectStream();
  }

  receive(bytes: Buffer): void {
    this.reader.receive(bytes);
    if (this.waits) return;
    this.waits = true;
    this.share.run(() => this.takePart());
    // What comes meanwhile waits in the kernel.
    if (this.waits) this.owner.pauseReplies();
  }

  /** Handles all that waits: the connection is broken, and the server may have said why. */
  takeRest(): void {
    if (this.waits) this.handle(this.reader.take(Infinity));
  }

  private takePart(): void {
    this.handle(this.reader.take(REPLY_BYTES));
    if (this.reader.hasMore && !this.owner.isOver) {
      this.share.later(() => this.takePart());
      return;
    }
    this.waits = false;
    this.owner.resumeReplies();
  }

  private handle(events: readonly ServerEvent[]): void {
    for (const event of events) {
      if (this.owner.isOver) return;
      this.owner.handle(event);
    }
  }
}
