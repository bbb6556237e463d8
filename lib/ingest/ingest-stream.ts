import { EventEmitter } from 'node:events';

/** One message of a published stream. */
export interface IngestMessage {
  /** `data`: metadata and other data in AMF0. */
  readonly kind: 'audio' | 'video' | 'data';
  /** Absolute timestamp, ms modulo 2^32. */
  readonly timestamp: number;
  /** The body of the message, for example of an FLV video tag. It is a slice of a larger buffer: copy it to keep it. */
  readonly payload: Buffer;
}

/**
 * Why a stream ended: the publisher ended it; its connection closed; its connection was closed because of an error or a
 * timeout.
 */
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
 * A stream that is published to the ingest. Emits `message` for each audio, video and data message in order, and at
 * last `end`.
 */
export class IngestStream extends EventEmitter<StreamEvents> implements StreamSource {
  readonly app: string;
  /** The name as published, with its query string; untrusted. */
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

  /**
   * Pauses reading of its connection, with all its streams, until {@link resume}. Messages that were read may still be
   * emitted. Calls are counted.
   */
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
