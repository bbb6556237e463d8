import { EventEmitter } from 'node:events';

/** One message of a published stream. */
export interface IngestMessage {
  /** `data`: metadata and the like, AMF0. */
  readonly kind: 'audio' | 'video' | 'data';
  /** Absolute, ms modulo 2^32. */
  readonly timestamp: number;
  /** The message's body, e.g. an FLV video tag's. A slice of what was read: copy it to keep it for long. */
  readonly payload: Buffer;
}

/** Why a stream ended: the publisher said so; its connection closed; its connection was cut for what it sent or did not. */
export type EndReason = 'unpublished' | 'closed' | 'failed';

interface StreamEvents {
  message: [IngestMessage];
  end: [EndReason];
}

export interface StreamSource {
  readonly app: string;
  readonly name: string;
  /** Message stream id on its connection. */
  readonly streamId: number;
  /** `ip:port` of the publisher. */
  readonly remoteAddress: string;
}

/**
 * A stream that someone publishes to the ingest. Emits `message` for each audio, video and data message in order, then
 * `end`, once.
 */
export class IngestStream extends EventEmitter<StreamEvents> implements StreamSource {
  readonly app: string;
  /** As published, a query included; untrusted. */
  readonly name: string;
  readonly streamId: number;
  readonly remoteAddress: string;
  private ended = false;

  constructor(
    source: StreamSource,
    private readonly flow: { pause(): void; resume(): void },
  ) {
    super();
    this.app = source.app;
    this.name = source.name;
    this.streamId = source.streamId;
    this.remoteAddress = source.remoteAddress;
  }

  /** Stops reading its connection, with all its streams, until {@link resume}; what was read may still come. Counted. */
  pause(): void {
    this.flow.pause();
  }

  resume(): void {
    this.flow.resume();
  }

  /** For the ingest. */
  deliver(message: IngestMessage): void {
    if (!this.ended) this.emit('message', message);
  }

  /** For the ingest. */
  finish(reason: EndReason): void {
    if (this.ended) return;
    this.ended = true;
    this.emit('end', reason);
  }
}
