import { X509Certificate } from 'node:crypto';
import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/config.js';
import { ConfigError, formatOrigin } from '../config/errors.js';
import type { NamedFile } from '../config/files/named-files.js';
import { isShortSecret, shortSecret } from '../config/types.js';
import { CertificateError, readCertificates } from '../http/certificates.js';
import { slateFiles, slatePath } from '../upstream/slate/slate-files.js';
import { fileErrorText, messageOf } from '../base/errors.js';
import { readRegularFile } from '../base/regular-file.js';

/** What is checked for a file or folder. Returns a text to warn with. @throws Error whose message says what is wrong */
type Check = (path: string) => string | void | Promise<void>;

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['pid', checkWritable],
  ['error_log', checkWritable],
  ['kmp_rtmp_in_dump_folder', checkFolder],
  ['kmp_rtmp_out_dump_folder', checkFolder],
  ['kmp_rtmp_out_ssl_trusted_certificate', checkCertificates],
  ['kmp_rtmp_out_slate', checkSlate],
  ['kmp_rtmp_out_notif_secret_file', checkSecret],
]);

/** Files with these directives contain secrets. */
const SECRET_FILES = [
  ...['kmp_rtmp_out_notif_secret_file', 'kmp_rtmp_api_token_file', 'ssl_certificate_key'],
  ...['kmp_rtmp_in_secret_file', 'kmp_rtmp_control_secret_file', 'engine', 'peer_token_file'],
];

/**
 * Checks that all files of the configuration can be written or read. Otherwise the error would come with the first
 * dump, the first notification, or the first server to be verified.
 *
 * @returns warnings with the place of the directive
 * @throws ConfigError config_file with the place of the directive, the path and what is wrong with it
 */
export async function checkFiles(config: Pick<Config, 'files' | 'httpServers'>): Promise<string[]> {
  const warnings: string[] = [];
  for (const file of config.files) {
    const { directive, path, origin } = file;
    const warn = (text: string): void => void warnings.push(`${formatOrigin(origin)}: ${about(file, text)}`);
    try {
      const warning = await CHECKS.get(directive)?.(path);
      if (typeof warning === 'string') warn(warning);
    } catch (error) {
      throw failed(file, error);
    }
    if (SECRET_FILES.includes(directive) && isPublic(path)) {
      warn(`every user of this machine can read ${path}; forbid it with: chmod o-r ${path}`);
    }
  }
  for (const server of config.httpServers) {
    try {
      readCertificates(server);
    } catch (error) {
      const wrong = error instanceof CertificateError ? error.path : undefined;
      const file = config.files.find(({ path }) => path === wrong);
      // The message has the directive already.
      throw file === undefined
        ? error
        : new ConfigError('config_file', file.origin, messageOf(error), { cause: error });
    }
  }
  return warnings;
}

function failed(file: NamedFile, error: unknown): ConfigError {
  return new ConfigError('config_file', file.origin, about(file, messageOf(error)), { cause: error });
}

/** The place of a flag or a variable is its name. */
function about({ directive, origin }: NamedFile, text: string): string {
  return origin.line === 0 ? text : `${directive}: ${text}`;
}

/** Returns whether users other than the owner and the group of a file may read it. */
function isPublic(path: string): boolean {
  const found = statOf(path);
  return process.platform !== 'win32' && found !== undefined && found.isFile() && (found.mode & 0o004) !== 0;
}

function readBytes(path: string): Buffer {
  try {
    return readRegularFile(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${fileErrorText(error)}`, { cause: error });
  }
}

/** Node's TLS ignores text that is not a certificate without an error. Then no server could be verified. */
function checkCertificates(path: string): void {
  const text = readBytes(path);
  try {
    if (!text.includes('-----BEGIN ')) throw new Error('not PEM');
    new X509Certificate(text);
  } catch (error) {
    throw new Error(`${path} has no certificate in PEM form`, { cause: error });
  }
}

async function checkSlate(slate: string): Promise<void> {
  const path = slatePath(slate);
  if (path !== undefined) await slateFiles.load(path);
}

function checkSecret(path: string): string | undefined {
  const secret = readBytes(path).toString().trimEnd();
  if (secret === '') throw new Error(`${path} is empty; write the secret to it`);
  return isShortSecret(secret) ? `${path}: ${shortSecret(secret)}` : undefined;
}

function checkFolder(path: string): void {
  if (statOf(path)?.isDirectory() === false) throw refused(path, 'it is not a folder');
  checkAccess(path, constants.W_OK | constants.X_OK);
}

/** A file that exists, or that can be created. */
function checkWritable(path: string): void {
  const found = statOf(path);
  if (found?.isDirectory() === true) throw refused(path, 'it is a folder; expected a file');
  if (found !== undefined) checkAccess(path, constants.W_OK);
  else {
    const folder = dirname(path);
    if (statOf(folder)?.isDirectory() === false) throw refused(path, `${folder} is not a folder`);
    checkAccess(folder, constants.W_OK | constants.X_OK, path);
  }
}

/** undefined: it does not exist, or cannot be seen; then {@link checkAccess} says why. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** @param file the path of the message: `path`, or a file in it */
function checkAccess(path: string, mode: number, file = path): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const folder = path === file ? '' : ` ${path}`;
    if (code === 'ENOENT') throw refused(file, `there is no such folder${folder}; create it first`, error);
    if (code === 'ENOTDIR') throw refused(file, 'a part of the path is not a folder', error);
    if (code === 'EACCES') throw refused(file, 'this user has no permission to write there', error);
    throw refused(file, fileErrorText(error), error);
  }
}

function refused(path: string, why: string, cause?: unknown): Error {
  return new Error(`cannot write to ${path}: ${why}`, { cause });
}
