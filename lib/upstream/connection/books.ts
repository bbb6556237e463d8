import type { AckedBytes } from '../../rtmp/acked-bytes.js';
import type { CloseReason } from '../report/close-reason.js';
import type { Endings } from './endings.js';
import type { Line } from './rtmp-connection.js';
import type { Resend } from './resend-policy.js';
import type { SinkOwner } from './frame-encoder.js';
import { announce } from './stream-connection.js';
import type { Track } from '../tracks/track.js';

/** Whom a link's books tell what concerns the upstream. */
export interface BooksOwner {
  drained(track: Track): void;
  fail(reason: CloseReason, message: string): void;
}

/** What becomes of the frames that go over a link's connections. */
export class Books implements SinkOwner {
  /** @param lineOf the connection that a track goes by */
  constructor(
    private readonly resend: Resend,
    private readonly owner: BooksOwner,
    private readonly lineOf: (track: Track) => Line,
    private readonly endings: Endings,
  ) {}

  announce(track: Track): void {
    announce(track);
  }

  drained(track: Track): void {
    this.owner.drained(track);
  }

  fail(reason: CloseReason, message: string): void {
    this.owner.fail(reason, message);
  }

  framesSent(track: Track): void {
    this.resend.sent(track, this.lineOf(track));
    this.endings.look();
  }

  framesLost(track: Track, acked: AckedBytes): void {
    this.resend.lost(track, acked);
  }
}
