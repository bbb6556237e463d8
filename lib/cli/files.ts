import { X509Certificate } from 'node:crypto';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/config.js';
import { readCertificates } from '../http/certificates.js';
import { slateFiles } from '../upstream/slate/slate-files.js';
import { slatePathsOf } from '../media-service/slates.js';
import { fileErrorText, messageOf } from '../base/errors.js';
import { CommandError } from './exit.js';

/**
 * Checks that all files of the configuration can be written or read. Otherwise the error would come with the first
 * dump, or the first server to be verified.
 *
 * @throws CertificateError
 * @throws CommandError that names the directive, the path and what is wrong with it
 */
export async function checkFiles(config: Config): Promise<void> {
  for (const { media } of config.kmpServers) {
    checkCertificates('kmp_rtmp_out_ssl_trusted_certificate', media.outSslTrustedCertificate);
    checkFolder('kmp_rtmp_in_dump_folder', media.inDumpFolder);
    checkFolder('kmp_rtmp_out_dump_folder', media.outDumpFolder);
  }
  for (const path of slatePathsOf(config)) {
    await slateFiles.load(path).catch((error: unknown) => {
      throw new CommandError(`kmp_rtmp_out_slate: ${messageOf(error)}`, { cause: error });
    });
  }
  for (const server of config.httpServers) readCertificates(server);
  for (const { target } of config.errorLogs) {
    if (typeof target === 'object' && 'file' in target) checkFile('error_log', target.file);
  }
  if (config.pid !== undefined && config.pid !== '') checkFile('pid', config.pid);
}

/** Node's TLS ignores text that is not a certificate without an error. Then no server could be verified. */
function checkCertificates(directive: string, file: string): void {
  if (file === '') return;
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw new CommandError(`${directive}: cannot read ${file}: ${fileErrorText(error)}`, { cause: error });
  }
  try {
    if (!text.includes('-----BEGIN ')) throw new Error('not PEM');
    new X509Certificate(text);
  } catch (error) {
    throw new CommandError(`${directive}: ${file} has no certificate in PEM form`, { cause: error });
  }
}

function checkFolder(directive: string, folder: string): void {
  if (folder === '') return;
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
    refuse(directive, folder, 'it is not a folder');
  check(directive, folder, constants.W_OK | constants.X_OK);
}

function checkFile(directive: string, file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) refuse(directive, file, 'it is a folder');
  if (found !== undefined) check(directive, file, constants.W_OK);
  else check(directive, dirname(file), constants.W_OK | constants.X_OK);
}

function check(directive: string, path: string, mode: number): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') refuse(directive, path, 'there is no such folder; create it first', error);
    if (code === 'ENOTDIR') refuse(directive, path, 'a part of the path is not a folder', error);
    refuse(directive, path, 'this user has no permission to write there', error);
  }
}

function refuse(directive: string, path: string, why: string, cause?: unknown): never {
  throw new CommandError(`${directive}: cannot write to ${path}: ${why}`, { cause });
}
