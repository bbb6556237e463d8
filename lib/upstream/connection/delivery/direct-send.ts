import type { RtmpPublisher } from '../../../rtmp/network/publisher.js';
import type { EncodedBatch, FrameEncoder } from './frame-encoder.js';

/**
 * Sends what is encoded with one write, without a batch. A rest that the kernel has not taken follows as a batch.
 * Returns false if nothing was sent.
 */
export function sendNow(encoder: FrameEncoder, publisher: RtmpPublisher | undefined): boolean {
  const bytes = encoder.toSendAtOnce;
  if (publisher === undefined || bytes === undefined) return false;
  const length = encoder.encodedBytes;
  const taken = publisher.offer(bytes, length);
  if (taken === length) encoder.sentAtOnce();
  else if (taken > 0) {
    const batch = encoder.take();
    batch.taken = taken;
    publisher.write(batch);
  }
  return taken > 0;
}

/**
 * Passes a batch to the publisher as the pipeline does, but not through the queue of the merger, which is empty.
 * Returns false if the publisher has batches in its own queue, or has ended.
 */
export function writeNow(batch: EncodedBatch, publisher: RtmpPublisher): boolean {
  if (publisher.writableLength > 0 || publisher.writableEnded || publisher.destroyed) return false;
  publisher.write(batch);
  return true;
}
