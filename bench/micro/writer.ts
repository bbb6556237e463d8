import { Codec } from '../../lib/media/codec.js';
import { Frame } from '../../lib/media/frame.js';
import { TagHead } from '../../lib/rtmp/media-tags.js';
import { SessionWriter } from '../../lib/rtmp/session-writer.js';
import type { MicroBench } from './timing.js';

const FRAMES = 600;
const BATCH_BYTES = 65_536;
const TIMESCALE = 90_000;

/** Frames to chunks, taken off in batches as they would be sent. */
export function writerBench(frameBytes: number): MicroBench {
  const payload = Buffer.alloc(frameBytes);
  const head = new TagHead({
    mediaType: 'video',
    codecId: Codec.H264,
    timescale: TIMESCALE,
    bitrate: 4_000_000,
    extraData: Buffer.alloc(0),
    width: 1280,
    height: 720,
    frameRateNum: 30,
    frameRateDenom: 1,
    ceaCaptions: 0,
  });
  const frames = Array.from({ length: FRAMES }, (_, number) => {
    const frame = new Frame(number * 3000, number * 3000, number % 60 === 0 ? 1 : 0, 0, frameBytes, [payload]);
    frame.ms = Math.round((number * 1000) / 30);
    return frame;
  });
  return {
    name: `RTMP chunk writer, frames of ${frameBytes} bytes`,
    frames: FRAMES,
    run(): void {
      const writer = new SessionWriter();
      writer.out.pooled = true;
      writer.connect({ app: 'a', flashVer: '', swfUrl: '', tcUrl: '', pageUrl: '' });
      const stream = writer.createStream('s', true);
      let bytes = 0;
      const take = (): void => {
        writer.out.take().forEach((buffer) => (bytes += buffer.length));
        writer.out.takeBlocks().forEach((block) => block.release());
      };
      for (const frame of frames) {
        writer.frame(stream, head, frame, TIMESCALE);
        if (writer.out.length >= BATCH_BYTES) take();
      }
      take();
      if (bytes <= FRAMES * frameBytes) throw new Error(`${bytes} bytes written, fewer than went in`);
    },
  };
}
