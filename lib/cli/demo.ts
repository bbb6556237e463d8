import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { KmpRtmpError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { packageFilePath, readPackageFile } from '../base/package-files.js';
import { codecName } from '../media/codec.js';
import { percentile } from './frame-comparison.js';
import type { DemoTrack } from './demo-run.js';
import { bytesText, ProgressView } from './send/send-progress.js';
import { speed } from './send/send-values.js';
import { table } from './table.js';
import { print } from './output.js';

interface DemoCommandOptions {
  readonly out: string;
  readonly speed: number;
  readonly fast?: boolean;
}

const examples = `
The exit code is 0 only if every frame arrived unchanged: same bytes, same time, same order.

Examples:
  kmp-rtmp demo
  kmp-rtmp demo movie.mp4 --out movie.flv --fast`;

/** `kmp-rtmp demo`: runs sender, service and ingest on this machine. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Play a sample through the service into an RTMP ingest, and compare the output with the input.')
    .argument('[file]', 'the file to play; default: a sample of six seconds')
    .option('--out <file>', 'the .flv file to record', 'demo-out/demo.flv')
    .option('--speed <factor>', 'speed as a multiple of real time', speed, 1)
    .option('--fast', 'send as fast as the server takes it')
    .addHelpText('after', examples)
    .action(async (file: string | undefined, options: DemoCommandOptions) => {
      if (!(await (file === undefined ? demoSample(options) : demo(file, options)))) process.exitCode = 1;
    });
}

/** Plays the sample of the package. A single executable writes it to a file, because MP4 is read from files. */
async function demoSample(options: DemoCommandOptions): Promise<boolean> {
  const path = packageFilePath('assets/sample.mp4');
  if (path !== undefined) return demo(path, options);
  const sample = readPackageFile('assets/sample.mp4');
  if (sample === undefined) {
    throw new KmpRtmpError('demo_no_sample', 'assets/sample.mp4 is missing from the package; name a file to play');
  }
  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-demo-'));
  try {
    const file = join(folder, 'sample.mp4');
    writeFileSync(file, sample);
    return await demo(file, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** True if every frame arrived. */
async function demo(file: string, options: DemoCommandOptions): Promise<boolean> {
  const view = { current: undefined as ProgressView | undefined };
  const say = (text: string): void => {
    view.current?.clear();
    print(`${text}\n`);
  };
  say(
    `Plays ${file} through a sender, the service and an RTMP ingest, all in this process, ` +
      `and records what arrives in ${options.out}.`,
  );
  // Imported only when needed, so that other commands start faster.
  const { openSource } = await import('../source/open.js');
  const { runDemo } = await import('./demo-run.js');
  const source = await openSource(file, { onWarning: say });
  try {
    const tracks = await runDemo({
      source,
      out: options.out,
      speed: options.fast === true ? Infinity : options.speed,
      log: warnings(say),
      onStart: (kmp, rtmp) => {
        if (options.fast !== true && source.duration !== undefined) {
          say(`This takes ${Math.ceil(source.duration / 1000 / options.speed)} s; --fast does not wait.`);
        }
        say(`sender -> KMP, port ${kmp} -> kmp-rtmp -> RTMP, port ${rtmp} -> ingest -> ${options.out}`);
        view.current = new ProgressView(process.stdout, source.duration, 1000);
      },
      onProgress: (progress) => view.current?.show(progress),
      progressEvery: 250,
    });
    view.current?.clear();
    say(tableOf(tracks));
    const good = tracks.every(({ framesIn, lost, wrong }) => framesIn > 0 && lost === 0 && wrong === 0);
    say(
      good ? `Every frame arrived, unchanged and in order. Play ${options.out} in any player.` : 'Frames are missing.',
    );
    return good;
  } finally {
    view.current?.clear();
    await source.close();
  }
}

function tableOf(tracks: readonly DemoTrack[]): string {
  const delay = (sorted: readonly number[], part: number): string => {
    const ms = percentile(sorted, part);
    return ms === undefined ? '-' : `${Math.round(ms)} ms`;
  };
  const head = ['track', 'codec', 'frames in', 'out', 'bytes in', 'out', 'lost', 'wrong', 'delay p50', 'p99'];
  const rows = tracks.map(({ type, codecId, framesIn, framesOut, bytesIn, bytesOut, lost, wrong, delays }) => [
    ...[type, codecName(codecId), String(framesIn), String(framesOut), bytesText(bytesIn), bytesText(bytesOut)],
    ...[String(lost), String(wrong), delay(delays, 0.5), delay(delays, 0.99)],
  ]);
  return table([head, ...rows], [2, 3, 4, 5, 6, 7, 8, 9]);
}

function warnings(say: (text: string) => void): Logger {
  const logger: Logger = { error: say, warn: say, info: () => undefined, debug: () => undefined, child: () => logger };
  return logger;
}
