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
 * timeout; another publisher of the same name has replaced it; {@link IngestStream.refuse} was called.
 */
export type EndReason = 'unpublished' | 'closed' | 'failed' | 'replaced' | 'refused';

interface StreamEvents {
  message: [IngestMessage];
  end: [EndReason];
}

/** What the publisher says about itself in `connect`; all fields are untrusted, and empty if they are missing. */
export interface PublisherFields {
  readonly flashVer: string;
  readonly tcUrl: string;
  readonly swfUrl: string;
  readonly pageUrl: string;
}

export interface StreamSource {
  readonly app: string;
  readonly name: string;
  /** Message stream id on its connection. */
  readonly streamId: number;
  /** `ip:port` of the publisher. */
  readonly remoteAddress: string;
  /** Number of the connection, from 1. */
  readonly connection: number;
  /** The kind of publish: `live`, `record` or `append`, or what the publisher sends instead. */
  readonly publishType: string;
  readonly connect: PublisherFields;
}

/** Why a connect or a publish is refused, as the publisher gets it. */
export interface Refusal {
  /** e.g. `NetStream.Publish.BadName`. */
  readonly code: string;
  readonly description: string;
}

/** What a stream can do with the connection that it is published on. */
export interface StreamFlow {
  pause(): void;
  resume(): void;
  /** Sends the refusal as the status of message stream `streamId`, and closes the connection. */
  refuse(streamId: number, refusal: Refusal): void;
}

/**
 * A stream that is published to the ingest. Emits `message` for each audio, video and data message in order, and at
 * last `end`.
 */
export class IngestStream extends EventEmitter<StreamEvents> implements StreamSource {
  readonly app: string;
  /**
   * The name as published, with its query string; untrusted. If the option `refuse` of the ingest returned a name, it
   * is that one.
   */
  readonly name: string;
  readonly streamId: number;
  readonly remoteAddress: string;
  readonly connection: number;
  readonly publishType: string;
  readonly connect: PublisherFields;
  private ended = false;

  constructor(
    source: StreamSource,
    private readonly flow: StreamFlow,
  ) {
    super();
    this.app = source.app;
    this.name = source.name;
    this.streamId = source.streamId;
    this.remoteAddress = source.remoteAddress;
    this.connection = source.connection;
    this.publishType = source.publishType;
    this.connect = source.connect;
  }

  /** True after `end` was emitted. */
  get isEnded(): boolean {
    return this.ended;
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

  /** Ends the stream from this side: the publisher gets the code and the text, and its connection is closed. */
  refuse(refusal: Refusal): void {
    if (!this.ended) this.flow.refuse(this.streamId, refusal);
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
