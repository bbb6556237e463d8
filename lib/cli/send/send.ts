import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { fileErrorText, KmpRtmpError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { codecName } from '../../media/codec.js';
import { planTracks, type PlannedTrack } from '../../send/plan.js';
import { signedRoute } from '../../send/signed-route.js';
import { Sender, type SenderOptions, type SendReport } from '../../send/sender.js';
import type { MediaSource, SourceOptions } from '../../source/source.js';
import { numberedName, type SendTarget } from '../../send/target.js';
import { systemClock } from '../../time/clock.js';
import { CommandError, ExitCode } from '../exit.js';
import { headers, type Header } from '../rtmp/ingest.js';
import type { ControlledSend } from '../rtmp/send-control.js';
import { bytesText, ProgressView, timeText } from './send-progress.js';
import { address, passes, speed, time, type Address } from './send-values.js';
import { table } from '../table.js';
import { print } from '../output.js';

interface SendOptions {
  readonly to: Address;
  readonly upstreamId?: string;
  readonly url?: string;
  readonly name?: string[];
  readonly app?: string;
  readonly header?: string;
  readonly opaque?: string;
  readonly flashVer?: string;
  readonly tcUrl?: string;
  readonly pageUrl?: string;
  readonly swfUrl?: string;
  readonly secretFile?: string;
  readonly control?: string;
  readonly controlHeader?: readonly Header[];
  readonly connectEvent: boolean;
  readonly speed: number;
  readonly fast?: boolean;
  readonly loop?: number | true;
  readonly start: number;
  readonly reconnect: boolean;
  readonly retryFor: number;
  readonly acks: boolean;
  readonly ackTimeout: number;
  readonly allowMissingTracks?: boolean;
  readonly quiet?: boolean;
}

const examples = `
Several files become several streams of one upstream (renditions). A file that has only the type of track that the file
before it lacks joins the stream of that file. Stream names are the one in the URL, then the same with _2, _3 and so on, or
the names given by --name.

The exit code is 0 only if every track was sent and every frame was acknowledged, which the service does after it
has sent a frame to the RTMP server. Otherwise it is 1. If a track cannot be sent, nothing is sent.

With --control, the stream name is that of --name, or the name of the first file, with _2, _3 and so on. The controller
is asked again when a connection breaks.

"-" reads standard input, at the speed of --speed. If its source is live, give --fast: the source has the right speed. The
timestamps of a pipe are made continuous if they wrap or jump.

Examples:
  kmp-rtmp send movie.mp4 --upstream-id u1 --url rtmp://localhost/live/test
  kmp-rtmp send movie.mp4 --to 10.0.0.7:8005 --upstream-id u1 --url rtmp://a.rtmp.youtube.com/live2/KEY --loop
  kmp-rtmp send high.mp4 low.mp4 --name high --name low --upstream-id u1 --url rtmp://localhost/live/test
  kmp-rtmp send recording.flv --start 1:30 --speed 2 --upstream-id u1 --url rtmp://localhost/live/test
  ffmpeg ... -f mpegts - | kmp-rtmp send - --fast --upstream-id u1 --url rtmp://localhost/live/test
  kmp-rtmp send cam1.mp4 --control http://127.0.0.1:8001/control
  kmp-rtmp send v.kmp a.kmp --fast --upstream-id u1 --url rtmp://localhost/live/test`;

/** `kmp-rtmp send FILE...`: sends media files to a KMP server, as a live source would. */
export function sendCommand(): Command {
  return new Command('send')
    .description('Send media files (flv, mp4, mov, mkv, webm, ts, KMP dumps) to a KMP server in real time.')
    .argument('<file...>', 'the files to send; "-" for FLV, Matroska or MPEG-TS from standard input')
    .addOption(
      new Option('--to <host:port>', 'the KMP server')
        .argParser(address)
        .default({ host: '127.0.0.1', port: 8005 }, '127.0.0.1:8005'),
    )
    .option('--upstream-id <id>', 'id of the upstream; tracks with the same id share one RTMP connection')
    .option('--url <rtmp-url>', 'where the KMP server publishes to, rtmp://host[:port]/app/stream')
    .option('--name <name>', 'stream name instead of the one in the URL; repeat it for more files', collect)
    .option('--app <app>', 'RTMP application instead of the one in the URL')
    .option('--header <text>', 'text that is sent first on the connection to the RTMP server')
    .option('--opaque <text>', 'text that the KMP server keeps and shows in its API')
    .option('--flash-ver <text>', 'flashVer of the RTMP connect')
    .option('--tc-url <url>', 'tcUrl of the RTMP connect')
    .option('--page-url <url>', 'pageUrl of the RTMP connect')
    .option('--swf-url <url>', 'swfUrl of the RTMP connect')
    .option(
      '--secret-file <file>',
      'sign the connect data with the first secret of this file, for a KMP server with kmp_rtmp_in_secret',
    )
    .option(
      '--control <url>',
      'ask this controller (kmp_rtmp_control) where to send each track, instead of --to and --url',
    )
    .option(
      '--control-header <header>',
      'header of each request to the controller, "Name: value"; may be repeated',
      headers,
    )
    .option('--no-connect-event', 'do not ask the controller before the tracks are published')
    .option('--speed <factor>', 'speed as a multiple of real time', speed, 1)
    .option('--fast', 'send as fast as the server takes it')
    .option('--loop [times]', 'repeat the files without end, or this many times, with continuous timestamps', passes)
    .option('--start <time>', 'begin at the last key frame at or before this time', time, 0)
    .option(
      '--no-reconnect',
      'fail when a connection breaks, instead of reconnecting and sending unacknowledged frames again',
    )
    .addOption(new Option('--retry-for <time>', 'how long to try to reconnect').argParser(time).default(60_000, '1m'))
    .option('--no-acks', 'the KMP server sends no acknowledgements (kmp_rtmp_in_ack off): count written frames as sent')
    .addOption(
      new Option('--ack-timeout <time>', 'how long to wait at the end for the next acknowledgement')
        .argParser(time)
        .default(10_000, '10s'),
    )
    .option('--allow-missing-tracks', 'send the other tracks of a file if one cannot be sent')
    .option('-q, --quiet', 'print errors and warnings only')
    .addHelpText('after', examples)
    .action(async (files: string[], options: SendOptions) => {
      if (!(await send(files, options))) process.exitCode = ExitCode.failed;
    });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/**
 * Opens, plays and reports; true if all was published.
 *
 * @throws KmpRtmpError as `openSource`, `planTracks` and `Sender` do; CommandError if a track cannot be sent
 */
async function send(files: readonly string[], options: SendOptions): Promise<boolean> {
  checkPipe(files, options);
  // Before the controller is asked: it would count the tracks as published.
  const secret = await secretOf(options);
  const sources: MediaSource[] = [];
  let view: ProgressView | undefined;
  const warn = (message: string): void => {
    view?.clear();
    process.stderr.write(`kmp-rtmp: warning: ${message}\n`);
  };
  const missing: string[] = [];
  const onMissingTrack = options.allowMissingTracks === true ? warn : (message: string) => void missing.push(message);
  const reports = { onWarning: warn, onMissingTrack };
  try {
    for (const file of files) sources.push(await openInput(file, { start: options.start, ...reports }));
    checkStart(files, sources, options.start);
    const target = targetOf(options);
    const names = options.name;
    const tracks = planTracks(sources, { ...(target && { target }), ...(names && { names }), ...reports });
    refuseMissing(missing);
    const rounds = options.loop === true ? Infinity : (options.loop ?? 1);
    const progress = (view = new ProgressView(process.stdout, totalOf(sources, options.start, rounds)));
    const stop = stopOnSignal();
    // A pipe that brings nothing must not delay the end.
    if (files.includes(PIPE)) stop.addEventListener('abort', () => process.stdin.destroy(), { once: true });
    const control = await controlled(tracks, files, options, warn, stop);
    const run = async (): Promise<SendReport> => {
      const routes =
        secret === undefined
          ? control?.routes
          : (track: PlannedTrack) => [signedRoute(track, options.to, secret, systemClock)];
      if (options.quiet !== true) print(`${heading(tracks, options)}\n`);
      const sender = new Sender({
        ...options.to,
        tracks,
        ...(routes && { routes }),
        speed: options.fast === true ? Infinity : options.speed,
        passes: rounds,
        client: clientOptions(options),
        log: warningsTo(warn),
        progressEvery: 250,
        ...(options.quiet === true ? {} : { onProgress: (state) => progress.show(state) }),
      });
      return sender.run(stop);
    };
    const report = await run().finally(() => control?.unpublish());
    view.clear();
    if (options.quiet !== true) print(`${summary(report)}\n`);
    for (const problem of [...missing, ...unacknowledged(report)]) process.stderr.write(`kmp-rtmp: ${problem}\n`);
    // If it was stopped before the end of a finite number of rounds, a part was not sent.
    return report.complete && missing.length === 0 && !(report.stopped && rounds !== Infinity);
  } finally {
    view?.clear();
    for (const source of sources) await source.close();
  }
}

/** @throws CommandError if a file ends before the start offset */
function checkStart(files: readonly string[], sources: readonly MediaSource[], start: number): void {
  for (const [n, { duration }] of sources.entries()) {
    if (duration === undefined || start === 0 || start < duration) continue;
    throw new CommandError(
      `--start ${timeText(start)} is beyond the end of ${files[n] ?? ''}, which lasts ${timeText(duration)}`,
    );
  }
}

/** Asks the controller, if there is one. @throws ControlError, CommandError */
async function controlled(
  tracks: readonly PlannedTrack[],
  files: readonly string[],
  options: SendOptions,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<ControlledSend | undefined> {
  const { control: url, controlHeader: headers = [], connectEvent: askConnect, app = 'live' } = options;
  if (url === undefined) return undefined;
  const { askController, fileStreamName } = await import('../rtmp/send-control.js');
  const first = fileStreamName(files[0] ?? '-');
  const nameOf = ({ connectData, stream }: PlannedTrack): string => {
    const given = (JSON.parse(String(connectData)) as { name?: string }).name;
    return options.name === undefined || given === undefined ? numberedName(first, stream) : given;
  };
  return askController({ url, headers, askConnect, app, tracks, nameOf, warn, signal });
}

/** The secret that connect data is signed with. @throws CommandError, ConfigError */
async function secretOf({ secretFile, control }: SendOptions): Promise<string | undefined> {
  if (secretFile === undefined) return undefined;
  if (control !== undefined)
    throw new CommandError('the controller signs its connect data: give --secret-file without --control');
  const { parseSenderSecrets } = await import('../../config/access/sender-secrets.js');
  const text = await readFile(secretFile, 'utf8').catch((error: unknown) => {
    throw new CommandError(`cannot read the secret in ${secretFile}: ${fileErrorText(error)}`);
  });
  return parseSenderSecrets(text, secretFile)[0]?.secret;
}

/** The file name that stands for standard input. */
const PIPE = '-';

/** @throws CommandError if an option does not fit to a pipe */
function checkPipe(files: readonly string[], { loop, start }: SendOptions): void {
  const pipes = files.filter((file) => file === PIPE).length;
  if (pipes === 0) return;
  if (pipes > 1) throw new CommandError('"-" (standard input) can be given once');
  if (loop !== undefined) throw new CommandError('a pipe can be read once: give --loop with files only');
  if (start > 0) throw new CommandError('a pipe is read from its beginning: give --start with files only');
  if (process.stdin.isTTY)
    throw new CommandError('standard input is a terminal; pipe FLV, Matroska or MPEG-TS into it');
}

async function openInput(file: string, options: SourceOptions): Promise<MediaSource> {
  // Imported only when needed: the demuxers take time to load, and the service does not need them.
  if (file !== PIPE) return (await import('../../source/open.js')).openSource(file, options);
  return (await import('../../source/pipe.js')).openPipe(process.stdin, 'standard input', options);
}

/** @throws CommandError if a track cannot be sent: the user asked for all of the file. */
function refuseMissing(missing: readonly string[]): void {
  if (missing.length === 0) return;
  const advice = 'nothing was sent; convert the track, or give --allow-missing-tracks to send the others';
  throw new CommandError(`${missing.join('; ')}; ${advice}`);
}

function clientOptions({ reconnect, retryFor, acks, ackTimeout }: SendOptions): SenderOptions['client'] {
  return { reconnect, retryFor, expectAcks: acks, ackTimeout, firstAckTimeout: ackTimeout };
}

/** One line for each track of which frames were written but not acknowledged. */
function unacknowledged({ tracks, stopped }: SendReport): string[] {
  return tracks
    .filter(({ complete, frames, acked }) => !complete && acked < frames)
    .map(({ track, frames, acked, ackSeen }) => {
      const count = `track ${track.trackId}: ${frames - acked} of ${frames} frames were not acknowledged`;
      if (stopped) return `${count} when the sending was stopped`;
      const advice = 'the log and the status page of the service show why';
      const noAcks = ackSeen ? '' : '; if the server never acknowledges (kmp_rtmp_in_ack off), give --no-acks';
      return `${count}, so they may not have been published; ${advice}${noAcks}`;
    });
}

function targetOf(options: SendOptions): SendTarget | undefined {
  const { upstreamId, url, header, opaque, app, flashVer, tcUrl, pageUrl, swfUrl } = options;
  if (options.control !== undefined) {
    if (upstreamId !== undefined || url !== undefined)
      throw new CommandError('the controller says where to publish to: give --control, or --upstream-id and --url');
    // The controller chooses both. Of the plan, only the streams and the names given by --name are used.
    return { upstreamId: 'control', url: 'rtmp://127.0.0.1/live/live' };
  }
  if (upstreamId === undefined && url === undefined) return undefined;
  if (upstreamId === undefined || upstreamId === '')
    throw new KmpRtmpError('send_no_target', '--upstream-id is needed with --url');
  if (url === undefined) throw new KmpRtmpError('send_no_target', '--url is needed with --upstream-id');
  const fields = Object.entries({ header, opaque, app, flashVer, tcUrl, pageUrl, swfUrl });
  return { upstreamId, url, ...Object.fromEntries(fields.filter(([, value]) => value !== undefined)) };
}

/** ms that will be played, if the durations of all files are known. */
function totalOf(sources: readonly MediaSource[], start: number, rounds: number): number | undefined {
  const longest = Math.max(...sources.map(({ duration }) => duration ?? Infinity));
  return Number.isFinite(longest * rounds) ? Math.max(0, longest - start) * rounds : undefined;
}

/** The first Ctrl-C ends the tracks in order, the second one ends the process. */
function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return controller.signal;
}

function warningsTo(warn: (message: string) => void): Logger {
  const logger: Logger = { error: warn, warn, info: () => undefined, debug: () => undefined, child: () => logger };
  return logger;
}

function heading(tracks: readonly PlannedTrack[], { to, control }: SendOptions): string {
  const what = tracks.map(({ track, trackId }) => `${trackId} ${codecName(track.info.codecId)}`).join(', ');
  if (control !== undefined) return `Sending ${what} to where the controller says`;
  return `Sending ${what} to ${to.host.includes(':') ? `[${to.host}]` : to.host}:${to.port}`;
}

function summary(report: SendReport): string {
  const rows = report.tracks.map(({ track, frames, payloadBytes, acked, ackSeen, reconnects, complete }) => [
    track.trackId,
    codecName(track.track.info.codecId),
    String(frames),
    bytesText(payloadBytes),
    ackSeen ? String(acked) : 'none seen',
    String(reconnects),
    complete ? 'complete' : 'INCOMPLETE',
  ]);
  const head = ['track', 'codec', 'frames', 'bytes', 'acked', 'reconnects', ''];
  return `${table([head, ...rows], [2, 3, 4, 5])}\n${timeText(report.media)} of media in ${timeText(report.elapsed)}`;
}
