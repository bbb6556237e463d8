import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { once } from 'node:events';
import { systemClock } from '../time/clock.js';
import { within } from '../time/within.js';
import { parseConfig } from '../config/load.js';
import { FlvRecorder } from '../ingest/flv-recorder.js';
import { Ingest } from '../ingest/ingest.js';
import type { IngestStream } from '../ingest/ingest-stream.js';
import { fileErrorText, KmpRtmpError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { MediaType } from '../media/codec.js';
import { planTracks } from '../send/plan.js';
import { Sender, type SendProgress } from '../send/sender.js';
import type { MediaSource } from '../source/source.js';
import { Service } from '../service.js';
import { FrameComparison, type ComparisonReport } from './frame-comparison.js';

/** Configuration of the service in the demo: KMP on a free port of this machine. */
const CONFIG = `
stream {
    server {
        listen 127.0.0.1:0;
        kmp_rtmp;
    }
}`;

/** ms that the last frames may take to arrive. */
const DRAIN = 10_000;

/** Options of {@link runDemo}. */
export interface DemoOptions {
  readonly source: MediaSource;
  /** Path of the .flv file to write. */
  readonly out: string;
  /** 1 for real time, Infinity for as fast as possible. */
  readonly speed: number;
  readonly log: Logger;
  readonly onStart?: (kmpPort: number, rtmpPort: number) => void;
  readonly onProgress?: (progress: SendProgress) => void;
  readonly progressEvery: number;
}

/** Result for one track. */
export interface DemoTrack extends ComparisonReport {
  readonly type: MediaType;
  readonly codecId: number;
}

/**
 * Runs sender, service and ingest in this process, connected over loopback. The sender plays the source to the service,
 * the service publishes it to the ingest, and the ingest records it. Ends when the published stream has ended.
 */
export async function runDemo(options: DemoOptions): Promise<DemoTrack[]> {
  await checkPlace(options.out);
  const ingest = new Ingest({ log: options.log });
  const service = new Service(parseConfig(CONFIG, 'demo'), { log: options.log });
  try {
    const rtmpPort = await ingest.listen(0);
    await service.start();
    const kmpPort = service.kmpAddresses[0]?.port ?? 0;
    options.onStart?.(kmpPort, rtmpPort);

    const target = { upstreamId: 'demo', url: `rtmp://127.0.0.1:${rtmpPort}/live/demo` };
    const tracks = planTracks([options.source], { target, onWarning: (message) => options.log.warn(message) });
    const comparisons = new Map(
      tracks.map(({ track: { info } }) => [info.mediaType, new FrameComparison(info.mediaType, info.timescale)]),
    );
    const recorded = record(ingest, options.out, comparisons);
    // The error is handled after sending: a full disk must not end the process before.
    recorded.catch(() => undefined);
    const sender = new Sender({
      host: '127.0.0.1',
      port: kmpPort,
      tracks,
      speed: options.speed,
      progressEvery: options.progressEvery,
      ...(options.onProgress && { onProgress: options.onProgress }),
      onFrame: ({ track }, frame) => comparisons.get(track.info.mediaType)?.sent(frame, systemClock.now()),
      log: options.log,
    });
    await sender.run();
    // Frames that are missing then are in the report.
    await within(systemClock, DRAIN, recorded);
    return tracks.map(({ track: { info } }) => {
      const report = (comparisons.get(info.mediaType) ?? new FrameComparison(info.mediaType, info.timescale)).report();
      return { type: info.mediaType, codecId: info.codecId, ...report };
    });
  } finally {
    await service.stop();
    await ingest.close();
  }
}

/**
 * Creates the folder of the file and checks that the file can be written, so that the error comes before the file is
 * played. Parent folders are not created: `recursive` never ends on a file system that always answers ENOENT (/proc).
 */
async function checkPlace(out: string): Promise<void> {
  try {
    await mkdir(dirname(out)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await (await open(out, 'a')).close();
  } catch (error) {
    const why =
      error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no such folder' : fileErrorText(error);
    throw new KmpRtmpError('demo_out', `cannot write to ${out}: ${why}; --out names another file`, { cause: error });
  }
}

/** Resolves when the stream that is published has ended and its file is complete. */
async function record(
  ingest: Ingest,
  out: string,
  comparisons: ReadonlyMap<MediaType, FrameComparison>,
): Promise<void> {
  const [stream] = (await once(ingest, 'stream')) as [IngestStream];
  const recorder = new FlvRecorder(stream, out);
  stream.on('message', (message) => {
    if (message.kind !== 'data') comparisons.get(message.kind)?.frameReceived(message, systemClock.now());
  });
  await once(recorder, 'close');
}
