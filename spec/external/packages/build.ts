/** Executable and Debian package, made as a release makes them. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Why a package cannot be made on this machine; `false` if it can. */
export function cannotBuild(): string | false {
  if (process.platform !== 'linux') return 'an executable can be made on Linux only';
  const shared = Object.entries(process.config.variables).some(
    ([name, value]) => /^node_shared(_|$)/.test(name) && (value as unknown) === true,
  );
  return shared ? 'this Node uses shared libraries of its distribution' : false;
}

/** Makes the executable in a folder. Returns its path. */
export async function makeExecutable(folder: string): Promise<string> {
  await run(process.execPath, ['scripts/package/executable.js', '--out', folder]);
  const [name = ''] = readdirSync(folder).filter((file) => /^kmp-rtmp-[\d.]+.*-linux-\w+$/.test(file));
  // A folder with nothing else in it, as on a server.
  mkdirSync(join(folder, 'server'));
  cpSync(join(folder, name), join(folder, 'server', 'kmp-rtmp'));
  return join(folder, 'server', 'kmp-rtmp');
}

/** Makes the Debian package around an executable. Returns its path. */
export async function makeDeb(folder: string, executable: string): Promise<string> {
  // A release uses xz, which takes half a minute.
  const options = ['--out', folder, '--executable', executable, '--compression', 'none'];
  await run(process.execPath, ['scripts/package/deb.js', ...options]);
  const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.deb'));
  return join(folder, name);
}
