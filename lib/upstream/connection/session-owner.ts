import type { Logger } from '../../base/logger.js';
import type { BooksOwner } from './books.js';
import type { Link } from './session.js';
import type { ReplyOwner } from './reply-handler.js';
import type { NotificationReason } from '../report/close-reason.js';
import type { UpstreamStream } from '../tracks/stream.js';
import type { Track } from '../tracks/track.js';

/** What a link asks of the upstream that it belongs to. */
export interface LinkOwner extends ReplyOwner, BooksOwner {
  /** One of the track's media infos has come into force, or another one's place. */
  chargeInfo(track: Track): void;
  linkFinished(link: Link): void;
  /** The server refuses a stream; others may go on. */
  streamRejected(stream: UpstreamStream, message: string): void;
  /** The server gave `stream` the id of another one: it needs a connection of its own. */
  split(stream: UpstreamStream): void;
  /** The connection is made anew. `message`: what was wrong with the last one, if anything was. */
  reconnecting(reason: NotificationReason, message?: string): void;
  readonly log: Logger;
  /** True if nobody sends any more, and nobody is likely to come back. */
  readonly isDeserted: boolean;
}
