import { InvalidArgumentError, Option, type Command } from 'commander';
import { fileErrorText } from '../../base/errors.js';
import { readRegularFile } from '../../base/regular-file.js';
import { splitHostPort } from '../../config/access/addresses.js';
import { isLoopbackHost } from '../../config/access/special-addresses.js';
import { parseSize } from '../../config/types.js';
import { pairProblem } from '../../net/certificate-pair.js';
import { parseKeyFile, parsePublishKey, type PublishKey } from '../../relay/publish-keys.js';
import type { RelayOptions } from '../../relay/relay.js';
import { CommandError } from '../exit.js';
import { time, type Address } from '../send/send-values.js';

/** Options of the commands that take RTMP. */
export interface RtmpOptions {
  readonly listen: Address;
  readonly key?: readonly string[];
  readonly keyFile?: string;
  readonly allowAny?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly maxConnections: number;
  readonly timeout: number;
  readonly memLimit: number;
}

const LOOPBACK = '127.0.0.1';
const RTMP_PORT = 1935;

/** A port, an address, or both. @throws InvalidArgumentError */
export function listenAddress(text: string): Address {
  const found = splitHostPort(text);
  if (found === undefined) throw new InvalidArgumentError('It must be a port, or ADDRESS:PORT such as 0.0.0.0:1935.');
  return { host: found.host ?? LOOPBACK, port: found.port ?? RTMP_PORT };
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a number from 1 to 999999.');
  return Number(text);
}

function size(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes < 0x100000)
    throw new InvalidArgumentError('It must be a size from 1m on, such as 32m.');
  return bytes;
}

function timeout(text: string): number {
  const ms = time(text);
  if (ms < 1000) throw new InvalidArgumentError('It must be a time from 1s on.');
  return ms;
}

function gather(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** The limits that the options set. */
export function limits({ maxConnections, timeout, memLimit }: RtmpOptions): Partial<RelayOptions> {
  return { maxConnections, timeout, maxHeld: memLimit };
}

/** Adds the flags of a command that takes RTMP from encoders. */
export function addRtmpOptions(command: Command): Command {
  const group = 'RTMP:';
  const options = [
    new Option(
      '--listen <address>',
      'where encoders publish to: a port, or ADDRESS:PORT; 0.0.0.0:1935 for all addresses',
    )
      .argParser(listenAddress)
      .default({ host: LOOPBACK, port: RTMP_PORT }, `${LOOPBACK}:${RTMP_PORT}`),
    new Option(
      '--key <key>',
      'key that allows publishing: KEY, or NAME:KEY for one stream name; may be repeated',
    ).argParser(gather),
    new Option('--key-file <file>', 'file with such keys, one in each line'),
    new Option('--allow-any', 'accept every publisher also on an address that other machines can reach'),
    new Option('--tls-cert <file>', 'certificate chain (PEM): encoders publish over rtmps'),
    new Option('--tls-key <file>', 'private key (PEM) of the certificate'),
    new Option('--max-connections <num>', 'most connections of encoders').argParser(count).default(100),
    new Option('--timeout <time>', 'how long an encoder may be silent, or publish nothing')
      .argParser(timeout)
      .default(30_000, '30s'),
    new Option('--mem-limit <size>', 'most memory for frames that a service has not taken, for each track and upstream')
      .argParser(size)
      .default(32 * 0x100000, '32m'),
  ];
  for (const option of options) command.addOption(option.helpGroup(group));
  return command;
}

/**
 * The keys that allow publishing; undefined if everyone may.
 *
 * @throws CommandError if there are none although other machines can reach the address; KmpRtmpError `publish_key`
 */
function publishKeys({ key = [], keyFile, allowAny, listen }: RtmpOptions): PublishKey[] | undefined {
  const fromFile = keyFile === undefined ? [] : parseKeyFile(readText(keyFile), keyFile);
  const keys = [...key.map(parsePublishKey), ...fromFile];
  if (keys.length > 0) return keys;
  if (keyFile !== undefined) throw new CommandError(`${keyFile} contains no key`);
  if (allowAny === true || isLoopbackHost(listen.host)) return undefined;
  throw new CommandError(
    `everyone who reaches ${listen.host} could publish; give --key KEY or --key-file FILE, or --allow-any if that is wanted`,
  );
}

/** Keys and certificate as the options and their files have them now. @throws CommandError, KmpRtmpError */
export function admission(options: RtmpOptions): Pick<RelayOptions, 'keys' | 'tls'> {
  const keys = publishKeys(options);
  return { ...(keys === undefined ? {} : { keys }), ...tlsFiles(options) };
}

/** @throws CommandError if only one of the files is given, or if they cannot be used */
function tlsFiles({ tlsCert, tlsKey }: RtmpOptions): { tls: { cert: string; key: string } } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CommandError('--tls-cert and --tls-key belong together: give both');
  const files = { cert: readText(tlsCert), key: readText(tlsKey) };
  const problem = pairProblem(files);
  if (problem === undefined) return { tls: files };
  const why = `${tlsCert} and ${tlsKey} are no certificate with its private key: ${problem.message}`;
  throw new CommandError(why, { cause: problem.cause });
}

function readText(path: string): string {
  try {
    return readRegularFile(path).toString();
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${fileErrorText(error)}`, { cause: error });
  }
}
