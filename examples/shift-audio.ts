// A custom stage between decoder and merger: it moves audio that is too early by some milliseconds.
//
//   node dist/examples/shift-audio.js rtmp://127.0.0.1/live/test video.kmp audio.kmp 200
import { createReadStream } from 'node:fs';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Frame, KmpDecoder, rtmpPublisher, StreamMerger, type KmpPacket, type PacketBatch } from 'kmp-rtmp';

/** Moves the frames of a track in time. Stages get batches, which have all packets of one read. */
class Shift extends Transform {
  private timescale = 90_000;

  /** @param ms positive for later, negative for earlier */
  constructor(private readonly ms: number) {
    super({ objectMode: true, highWaterMark: 1 });
  }

  override _transform(batch: PacketBatch, _encoding: BufferEncoding, callback: TransformCallback): void {
    callback(null, { ...batch, packets: batch.packets.map((packet) => this.shifted(packet)) } satisfies PacketBatch);
  }

  private shifted(packet: KmpPacket): KmpPacket {
    if (!(packet instanceof Frame)) {
      if (packet.kind === 'mediaInfo') this.timescale = packet.info.timescale;
      return packet;
    }
    return packet.with({ dts: packet.dts + Math.round((this.ms * this.timescale) / 1000) });
  }
}

const [url = '', video = '', audio = '', ms = '0'] = process.argv.slice(2);

const merger = new StreamMerger(url);
const [videoTrack, audioTrack] = [merger.track(), merger.track()];
const decoder = (): KmpDecoder => new KmpDecoder({ dump: true });

await Promise.all([
  pipeline(createReadStream(video), decoder(), videoTrack),
  pipeline(createReadStream(audio), decoder(), new Shift(Number(ms)), audioTrack),
  pipeline(merger, rtmpPublisher(url, { merger })),
]);
console.log(`published with sound ${ms} ms later`);
