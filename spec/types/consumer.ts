/**
 * A program against the package's door, compiled and never run: what it relies on may not change without notice. Here
 * it is compiled with everything else, and by spec/external/pack.spec.ts in a folder that has the package installed.
 */
import { createReadStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import winston from 'winston';
import {
  type CloseReason,
  type Clock,
  type Config,
  defaultConfig,
  Frame,
  FlvRecorder,
  Ingest,
  KmpDecoder,
  type KmpPacket,
  KmpRtmpError,
  loadConfig,
  type Logger,
  type Management,
  managementRouter,
  type MediaInfo,
  type MediaSettings,
  mediaSettings,
  Merger,
  metricsRouter,
  openSource,
  type OutputBatch,
  type PacketBatch,
  planTracks,
  publishFile,
  publishTo,
  readDump,
  rtmpPublisher,
  Sender,
  Service,
  StreamMerger,
  toKmp,
  TrackQueue,
  winstonLog,
  writeConnect,
  writeFrame,
  writeMediaInfo,
} from 'kmp-rtmp';

// A dump file to RTMP.
const url = 'rtmp://127.0.0.1/live/name';
const merger = new StreamMerger(url, { settings: { outChunkSize: 4096 } });
createReadStream('v.kmp').pipe(new KmpDecoder()).pipe(merger.track());
await pipeline(merger, rtmpPublisher(url, { merger, onState: (state) => console.log(state) }));

// A media file, at once or by its stages.
await publishFile('movie.mp4', url, { speed: 2, settings: { outChunkSize: 4096 } });
const [track] = toKmp(await openSource('movie.mp4', { strict: true }), { speed: 1 });
if (track !== undefined) await pipeline(track, new KmpDecoder({ dump: true }), publishTo(url).input());
const later = (frame: Frame): Frame => frame.with({ dts: frame.dts + 9000 });
void later;

// Your own stage, before a whole upstream.
const onlyKeys = new Transform({
  objectMode: true,
  transform(batch: PacketBatch, _encoding, callback) {
    const packets: KmpPacket[] = batch.packets.filter((packet) => !(packet instanceof Frame) || packet.isKey);
    callback(null, { ...batch, packets });
  },
});
const ownLog = winstonLog(winston.createLogger({ transports: [new winston.transports.Console()] }));
ownLog.info('text', { upstream: 'u1' });
const log: Logger = {
  error: (message, fields) => console.error(message, fields),
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => log,
};
const clock: Clock = { now: () => 0, wall: () => 0, after: () => ({ cancel: () => {} }) };
const settings: MediaSettings = mediaSettings({ outReconnects: Infinity });
const publication = publishTo(url, { log, clock, settings });
createReadStream('v.kmp').pipe(new KmpDecoder()).pipe(onlyKeys).pipe(publication.input('other'));
const reason: CloseReason = (await publication.done).reason;
const memory: number | undefined = publication.status()?.mem_left;

// The service, and its router in an app.
const config: Config = reason === 'done' ? defaultConfig() : loadConfig('kmp.conf');
const service = new Service(config, { log });
await service.start();
const management: Management = service.management;
express()
  .use('/kmp', managementRouter(management, { write: false }))
  .use('/metrics', metricsRouter(management, { upstreams: false }));
await service.stop();

// Your own packets.
const info: MediaInfo = {
  mediaType: 'audio',
  codecId: 1010,
  timescale: 90000,
  bitrate: 128000,
  extraData: Buffer.of(0x12, 0x10),
  channels: 2,
  bitsPerSample: 16,
  sampleRate: 44100,
  channelLayout: 3n,
};
const bytes: Buffer[] = [
  writeConnect({ channelId: 'c', trackId: 't', data: '{}' }),
  writeMediaInfo(info),
  writeFrame({ created: 0, dts: 0, flags: 1, ptsDelay: 0 }, Buffer.alloc(10)),
];
for await (const packet of readDump(bytes)) if (!(packet instanceof Frame)) console.log(packet.kind);

// The merge with your own encoder.
class Sizes {
  encodedBytes = 0;
  frame(_queue: TrackQueue, frame: Frame): void {
    this.encodedBytes += frame.size;
  }
  drained(): void {}
  take(): OutputBatch {
    return { buffers: [], bytes: this.encodedBytes };
  }
}
const own = new Merger<TrackQueue, OutputBatch>({
  clock,
  sink: new Sizes(),
  minDelay: 500,
  maxDelay: 1000,
  earlyRelease: false,
  bufferSize: 65536,
  flushTimeout: 1000,
});
own.add(new TrackQueue({ queues: [] }));

// A sender and an ingest.
const ingest = new Ingest();
ingest.on('stream', (stream) => new FlvRecorder(stream, 'out.flv'));
await ingest.listen(0, '127.0.0.1');
const tracks = planTracks([await openSource('a.mp4')], { target: { upstreamId: 'u1', url } });
const sender = new Sender({ host: '127.0.0.1', port: 8005, tracks });
try {
  await sender.run();
} catch (error) {
  if (error instanceof KmpRtmpError) console.log(error.code, memory);
}

// @ts-expect-error a name that is not public
export type { Link } from 'kmp-rtmp';
// @ts-expect-error a wrong type of a setting
mediaSettings({ outChunkSize: '4096' });
