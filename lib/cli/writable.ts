import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/config.js';
import { CommandError } from './exit.js';

/**
 * Looks whether all that the configuration has written to can be: better now than when the first dump is due.
 *
 * @throws CommandError that names the directive, the path and what is wrong with it
 */
export function checkWritable(config: Config): void {
  for (const { media } of config.kmpServers) {
    checkFolder('kmp_rtmp_in_dump_folder', media.inDumpFolder);
    checkFolder('kmp_rtmp_out_dump_folder', media.outDumpFolder);
  }
  for (const { target } of config.errorLogs) if (target !== 'stderr') checkFile('error_log', target.file);
  if (config.pid !== undefined && config.pid !== '') checkFile('pid', config.pid);
}

function checkFolder(directive: string, folder: string): void {
  if (folder === '') return;
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
    refuse(directive, folder, 'it is no folder');
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
    if (code === 'ENOTDIR') refuse(directive, path, 'a part of the path is no folder', error);
    refuse(directive, path, 'this user may not write there', error);
  }
}

function refuse(directive: string, path: string, why: string, cause?: unknown): never {
  throw new CommandError(`${directive}: cannot write to ${path}: ${why}`, { cause });
}
