import { EventEmitter } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { FLV_FLAGS_AT, flvFlags, flvHeader, flvTag } from './flv.js';
import type { IngestMessage, IngestStream } from './ingest-stream.js';

interface RecorderEvents {
  close: [];
  error: [Error];
}

/**
 * Records a stream in an .flv file until the stream ends. Create it in the `stream` event, so that it gets all
 * messages. A slow disk slows the publisher down.
 *
 * Emits `close` when the file is complete, or `error` when it cannot be written. After an error, the stream continues
 * and is not recorded.
 */
export class FlvRecorder extends EventEmitter<RecorderEvents> {
  /** Number of messages in the file, by kind. */
  readonly written = { audio: 0, video: 0, data: 0 };
  private readonly file: WriteStream;
  private waiting = false;
  private failed = false;

  /** @param path an existing file is replaced */
  constructor(
    private readonly stream: IngestStream,
    readonly path: string,
  ) {
    super();
    this.file = createWriteStream(path, { highWaterMark: 0x100000 });
    this.file.on('error', (error) => this.fail(error));
    this.file.on('drain', () => this.goOn());
    // The kinds of tags are known at the end: until then, the header announces both.
    this.file.write(flvHeader(flvFlags(true, true)));
    stream.on('message', this.onMessage);
    stream.once('end', this.onEnd);
  }

  private readonly onMessage = (message: IngestMessage): void => {
    const pieces = flvTag(message);
    if (pieces.length === 0) return;
    this.written[message.kind]++;
    this.file.cork();
    let room = true;
    for (const piece of pieces) room = this.file.write(piece);
    this.file.uncork();
    if (room || this.waiting) return;
    this.waiting = true;
    this.stream.pause();
  };

  private readonly onEnd = (): void => {
    this.stream.off('message', this.onMessage);
    this.file.end(() => {
      this.finish().then(
        () => void this.emit('close'),
        (error: unknown) => this.fail(error instanceof Error ? error : new Error(String(error))),
      );
    });
  };

  private async finish(): Promise<void> {
    const { audio, video } = this.written;
    const file = await open(this.path, 'r+');
    try {
      await file.write(Buffer.of(flvFlags(audio > 0, video > 0)), 0, 1, FLV_FLAGS_AT);
    } finally {
      await file.close();
    }
  }

  private goOn(): void {
    if (!this.waiting) return;
    this.waiting = false;
    this.stream.resume();
  }

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    this.stream.off('message', this.onMessage);
    this.stream.off('end', this.onEnd);
    this.goOn();
    this.emit('error', error);
  }
}
