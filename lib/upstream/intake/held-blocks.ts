import type { PacketBatch } from '../../kmp/decoder.js';
import type { Block } from '../../media/block.js';
import { Frame } from '../../media/frame.js';

/** The blocks that contain the unfinished packet of a connection, with a hold on each. */
export class HeldBlocks {
  private readonly blocks: Block[] = [];

  /**
   * Keeps the memory of a batch for its frames, and for a packet that begins in it. A batch without a block was read by
   * Node, but it may complete a packet that began in a block.
   */
  take(batch: PacketBatch): void {
    const { packets, block } = batch;
    const { blocks } = this;
    const n = packets.length;
    if (block !== undefined && !batch.released) {
      for (let i = 0; i < n; i++) {
        const packet = packets[i];
        if (packet instanceof Frame) packet.retainBlock(block);
      }
    }
    if (n > 0 && blocks.length > 0) {
      // The first packet completes the one that was held.
      const first = packets[0];
      if (first instanceof Frame) for (const held of blocks) first.retainBlock(held);
      this.release();
    }
    if (block !== undefined && batch.held > 0 && !batch.released && blocks.at(-1) !== block) {
      block.retain();
      blocks.push(block);
    }
  }

  /** The packet will not be completed. */
  release(): void {
    for (let held = this.blocks.pop(); held !== undefined; held = this.blocks.pop()) held.release();
  }
}

/**
 * If frames are a smaller part of a read than 1/4, they are copied out of it. Otherwise they would keep the whole read
 * in memory.
 */
const WORTH_KEEPING = 4;

/** For reads up to this many bytes, a copy is not worth its cost. */
const SMALL_READ = 1024;

/**
 * Copies frames out of a read of which they are only a small part. The rest was dropped or is the beginning of another
 * frame, but the ledger charges only for payloads.
 *
 * @param bytes of the read that contained the frames
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
