import { Command, Option } from 'commander';
import { addRtmpOptions, admission, limits, type RtmpOptions } from './rtmp-options.js';
import { CommandError } from '../exit.js';
import { time } from '../send/send-values.js';

interface IngestCommandOptions extends RtmpOptions {
  readonly control: string;
  readonly controlHeader?: readonly Header[];
  readonly connectEvent: boolean;
  readonly retryFor: number;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  readonly logFormat: 'text' | 'json';
}

const details = `
The controller is asked over HTTP where each track goes to, as nginx-kmp-out asks it: connect, publish, republish and
unpublish. kmp_rtmp_control of this service is such a controller. Tracks are sent over KMP, with acknowledgements; after a
broken connection they continue at the key frame before the first frame that was not acknowledged.

An encoder that is refused, or whose destination ends for good, is disconnected with the reason. While the service takes
nothing, frames wait up to --mem-limit; then the encoder has to wait. A stream name can be published once at a time. A second
encoder is refused, unless the first one has been silent for three seconds.

Keys: in the encoder, the stream key is NAME?key=KEY, or the bare KEY (then the stream is called as in NAME:KEY, or "live").
SIGTERM and SIGINT end all streams in order; a second one ends at once. SIGHUP reads the key file and the certificate again.

Examples:
  kmp-rtmp ingest                                          RTMP on 127.0.0.1:1935, controller on 127.0.0.1:8001
  kmp-rtmp ingest --listen 0.0.0.0:1935 --key-file keys    for other machines, guarded by keys
  kmp-rtmp ingest --control http://10.0.0.5:8001/control --control-header 'Authorization: Bearer TOKEN'`;

/** `kmp-rtmp ingest`: takes RTMP from encoders and hands it to a service over KMP. */
export function ingestCommand(): Command {
  const command = new Command('ingest').description('Take RTMP from encoders, and send it over KMP to a service.');
  return addRtmpOptions(command)
    .option('--control <url>', 'address of the controller', 'http://127.0.0.1:8001/control')
    .option('--control-header <header>', 'header of each request, "Name: value"; may be repeated', headers)
    .option('--no-connect-event', 'do not ask the controller before a connection is accepted')
    .addOption(
      new Option('--retry-for <time>', 'how long to try to reconnect to a required upstream')
        .argParser(time)
        .default(60_000, '1m'),
    )
    .addOption(new Option('--log-format <format>', 'format of the log').choices(['text', 'json']).default('text'))
    .addOption(
      new Option('--log-level <level>', 'least severity that is logged')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .addHelpText('after', details)
    .action(ingest);
}

/** A header of a request. */
export type Header = readonly [name: string, value: string];

/**
 * Adds `Name: value` to the headers before it.
 *
 * @throws CommandError that does not contain the value: it may be a token
 */
export function headers(text: string, before: readonly Header[] = []): readonly Header[] {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\x20-\x7e]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new CommandError(
      'a header (--control-header, its value is not shown here) must be "Name: value", such as "Authorization: Bearer TOKEN"',
    );
  return [...before, [name, value]];
}

async function ingest(options: IngestCommandOptions): Promise<void> {
  // Imported only when needed, so that other commands start faster.
  const { runIngest } = await import('./run-ingest.js');
  const { control, connectEvent, retryFor, logLevel, logFormat, listen } = options;
  await runIngest({
    listen,
    log: { level: logLevel, format: logFormat },
    controller: { url: control, askConnect: connectEvent, headers: options.controlHeader ?? [] },
    relay: { ...limits(options), retryFor },
    admission: () => admission(options),
  });
}
