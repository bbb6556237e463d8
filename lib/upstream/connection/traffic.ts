import type { Line } from './rtmp-connection.js';

/** The connections that a link has open, and what went over all that it ever had. */
export class Traffic {
  readonly lines = new Set<Line>();
  private written = 0;
  private sent = 0;
  private received = 0;
  private acked = 0;

  get writtenBytes(): number {
    return this.sum(this.written, (line) => line.publisher?.writtenBytes);
  }

  get sentBytes(): number {
    return this.sum(this.sent, (line) => line.publisher?.sentBytes);
  }

  get receivedBytes(): number {
    return this.sum(this.received, (line) => line.publisher?.receivedBytes);
  }

  /** What the servers say they have read. */
  get ackedBytes(): number {
    return this.sum(this.acked, (line) => line.sink.acked.bytes);
  }

  add(line: Line): void {
    this.lines.add(line);
  }

  /** The connection is over: its bytes go on counting. */
  remove(line: Line): void {
    if (!this.lines.delete(line)) return;
    this.written += line.publisher?.writtenBytes ?? 0;
    this.sent += line.publisher?.sentBytes ?? 0;
    this.received += line.publisher?.receivedBytes ?? 0;
    this.acked += line.sink.acked.bytes;
  }

  private sum(past: number, of: (line: Line) => number | undefined): number {
    let all = past;
    for (const line of this.lines) all += of(line) ?? 0;
    return all;
  }
}
