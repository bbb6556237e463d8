import { Command, InvalidArgumentError, Option } from 'commander';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { fileErrorText } from '../base/errors.js';
import { UnknownDumpError } from '../inspect/detect.js';
import { inspect } from '../inspect/inspect.js';
import { jsonLine } from '../inspect/printable.js';
import type { InspectRecord } from '../inspect/record.js';
import { recordText } from '../inspect/text.js';
import { errorText, ExitCode } from './exit.js';
import { print } from './output.js';

interface InspectCommandOptions {
  readonly json?: boolean;
  readonly limit?: number;
  readonly summary?: boolean;
  readonly type?: 'kmp' | 'rtmp';
  readonly showKeys?: boolean;
}

const details = `
It reads dumps of kmp_rtmp_in_dump_folder (KMP, with or without the connect packet) and of kmp_rtmp_out_dump_folder (RTMP
as the server sent it, from the handshake on), and the bytes that a publisher sent, with or without its handshake. Damage is
reported with its place; after a damaged KMP packet, reading continues at the next packet. The exit code is 1 if anything is
wrong.

Examples:
  kmp-rtmp inspect ngx_live_kmp_dump_2026-01-31_4711_12.dat        every packet, then a summary
  kmp-rtmp inspect --summary *.dat                                 only the summaries: bit rates, gaps, drift
  kmp-rtmp inspect --json dump.dat | jq 'select(.kind=="frame" and .key)'
  kmp-rtmp inspect --limit 20 ngx_kmp_rtmp_dump_2026-01-31_ch1_7.dat
  zcat dump.gz | kmp-rtmp inspect -`;

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** `kmp-rtmp inspect FILE...` */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Print the content of a KMP or RTMP dump: packets or messages, timing, gaps, bit rates.')
    .argument('<file...>', 'dump files; - is stdin')
    .option('-j, --json', 'one JSON object per line')
    .option('-n, --limit <count>', 'print only the first packets or messages; the summary covers all', count)
    .option('-s, --summary', 'print only the summary and the damage')
    .addOption(new Option('--type <type>', 'type of the file, if it cannot be detected').choices(['kmp', 'rtmp']))
    .option('--show-keys', 'do not mask stream keys')
    .addHelpText('after', details)
    .action(inspectFiles);
}

async function inspectFiles(files: readonly string[], options: InspectCommandOptions): Promise<void> {
  for (const [index, file] of files.entries()) {
    const several = files.length > 1;
    if (several && options.json !== true) await write(`${index === 0 ? '' : '\n'}${file}:\n`);
    try {
      await inspectOne(file === '-' ? process.stdin : createReadStream(file), options, several ? file : undefined);
    } catch (error) {
      // If one file cannot be read, the others are still printed.
      process.stderr.write(`${problemText(file, error)}\n`);
      process.exitCode = ExitCode.failed;
    }
  }
}

/** A line for stderr, with the name of the file. */
function problemText(file: string, error: unknown): string {
  const name = file === '-' ? 'stdin' : file;
  if (error instanceof UnknownDumpError) return `kmp-rtmp: ${name}: ${error.message}`;
  if (error instanceof Error && 'syscall' in error) return `kmp-rtmp: ${name}: ${fileErrorText(error)}`;
  return errorText(error);
}

async function inspectOne(
  source: AsyncIterable<Buffer>,
  { json, limit = Infinity, summary, type, showKeys }: InspectCommandOptions,
  file: string | undefined,
): Promise<void> {
  let printed = 0;
  for await (const record of inspect(source, { type, showKeys: showKeys === true })) {
    if (record.kind === 'summary' && record.problems > 0) process.exitCode = ExitCode.failed;
    if (record.kind !== 'summary' && record.kind !== 'broken') {
      printed++;
      if (summary === true || printed > limit) continue;
    }
    await write(json === true ? `${jsonLine(file === undefined ? record : { file, ...record })}\n` : text(record));
  }
}

function text(record: InspectRecord): string {
  return record.kind === 'summary' ? `\n${recordText(record)}\n` : `${recordText(record)}\n`;
}

/** Waits for a slow reader, so that the output does not fill the memory. */
async function write(chunk: string): Promise<void> {
  if (!print(chunk)) await once(process.stdout, 'drain');
}
