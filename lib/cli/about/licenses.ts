import { Command } from 'commander';
import { embeddedFiles, readPackageFile } from '../../base/package-files.js';
import { print } from '../output.js';

/** Written by scripts/package/licenses.js when the executable is made. */
const THIRD_PARTY = 'third-party-licenses.txt';

const ON_DISK = `
The packages that kmp-rtmp uses are in node_modules. Each has its licence in its own folder.
`;

/** `kmp-rtmp licenses`: the licences of the program, and in a single executable of everything in it. */
export function licensesCommand(): Command {
  return new Command('licenses')
    .description('Print the licences of kmp-rtmp and of the software that it contains.')
    .action(() => {
      const others = embeddedFiles() === undefined ? ON_DISK : readPackageFile(THIRD_PARTY)?.toString('utf8');
      print(`${readPackageFile('LICENSE')?.toString('utf8') ?? ''}${others ?? ''}`);
    });
}
