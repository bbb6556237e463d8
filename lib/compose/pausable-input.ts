import type { Clock, Timer } from '../time/clock.js';
import type { PacketBatch } from '../kmp/decoder.js';
import { Frame } from '../media/frame.js';
import { Writable } from '../base/streams.js';
import type { Input } from '../upstream/intake/input.js';

/** ms between two checks while a writer is held back. */
const CHECK_INTERVAL = 20;

/**
 * An input of an upstream for sources that can wait, such as files. It holds its writer back while the upstream has
 * enough frames; the input of a KMP socket does not, because the sender sets the pace. Connect packets are ignored: the
 * destination is already known.
 */
export class PausableInput extends Writable {
  private timer: Timer | undefined;

  /**
   * @param hasEnough true while the upstream must be given no more
   * @param failure why the upstream ended, if that was a failure
   */
  constructor(
    private readonly input: Input,
    private readonly clock: Clock,
    private readonly hasEnough: () => boolean,
    failure: () => Error | undefined,
  ) {
    super({ objectMode: true, highWaterMark: 1 });
    input.on('error', (error) => this.destroy(error));
    input.on('close', () => this.destroy(failure()));
  }

  override _write(batch: PacketBatch, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.timer = undefined;
    if (this.hasEnough()) {
      this.timer = this.clock.after(CHECK_INTERVAL, () => this._write(batch, _encoding, callback));
      return;
    }
    const { packets } = batch;
    const kept = packets.filter((packet) => packet instanceof Frame || packet.kind !== 'connect');
    // Errors come with its `error` event.
    this.input.write(kept.length === packets.length ? batch : { ...batch, packets: kept }, () => callback());
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.input.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.timer?.cancel();
    this.input.destroy();
    callback(error);
  }
}
