import type { PacketBatch } from '../../kmp/decoder.js';
import type { Block } from '../../media/block.js';
import { Frame } from '../../media/frame.js';

/** The blocks that the unfinished packet of a connection lies in, each with a hold. */
export class HeldBlocks {
  private readonly blocks: Block[] = [];

  /**
   * The frames of a batch, and a packet that has begun in it, keep the memory that they lie in. Without a block of its own, as
   * what Node has read, a batch may still have the end of a packet that began in one.
   */
  take(batch: PacketBatch): void {
    const { packets, block } = batch;
    const { blocks } = this;
    if (block === undefined && blocks.length === 0) return;
    for (let i = 0; i < packets.length; i++) {
      const packet = packets[i];
      if (!(packet instanceof Frame)) continue;
      if (block !== undefined && !batch.released) packet.retainBlock(block);
      // A packet that was held is the first to be completed.
      if (i === 0) for (const held of blocks) packet.retainBlock(held);
    }
    if (packets.length > 0) for (const held of blocks.splice(0)) held.release();
    if (block !== undefined && batch.held > 0 && !batch.released && blocks.at(-1) !== block) {
      block.retain();
      blocks.push(block);
    }
  }
}

/** A read of which frames are less than this part keeps its memory for them alone, and they are copied out of it. */
const WORTH_KEEPING = 4;

/** Reads up to this many bytes are not worth that. */
const SMALL_READ = 1024;

/**
 * Copies frames out of a read of which they are a small part: the rest was dropped, or is the beginning of another frame, and
 * the ledger charges for payloads only.
 *
 * @param bytes of the read that they came with
 */
export function copyOutOfLargeRead(frames: readonly Frame[], bytes: number): void {
  if (bytes <= SMALL_READ) return;
  let payload = 0;
  for (let i = 0; i < frames.length; i++) payload += frames[i]?.size ?? 0;
  if (payload * WORTH_KEEPING >= bytes) return;
  const home = Buffer.allocUnsafeSlow(payload);
  let at = 0;
  for (const frame of frames) {
    frame.moveTo(home, at);
    at += frame.size;
  }
}
