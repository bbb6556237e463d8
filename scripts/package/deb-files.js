// The files of the Debian package, by their paths on the machine where it is installed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createProgram } from '../../dist/lib/cli/main.js';
import { manPage } from '../../dist/lib/cli/about/man-page.js';

const DOC = '/usr/share/doc/kmp-rtmp';

/** Files that an administrator edits. An upgrade keeps the edited ones and asks if the new package has others. */
export const CONFFILES = ['/etc/kmp-rtmp/kmp-rtmp.conf', '/etc/logrotate.d/kmp-rtmp'];

/**
 * @param run runs the executable with arguments, and returns its output
 * @returns contents by path; the executable itself is not among them
 */
export function debFiles(run) {
  return {
    '/etc/kmp-rtmp/kmp-rtmp.conf': readFileSync('packaging/kmp-rtmp.conf'),
    '/etc/logrotate.d/kmp-rtmp': readFileSync('packaging/deb/logrotate'),
    '/usr/lib/systemd/system/kmp-rtmp.service': unit(),
    '/usr/share/man/man1/kmp-rtmp.1.gz': gzipped(manPage(createProgram())),
    '/usr/share/bash-completion/completions/kmp-rtmp': run('completion', 'bash'),
    '/usr/share/zsh/vendor-completions/_kmp-rtmp': run('completion', 'zsh'),
    '/usr/share/fish/vendor_completions.d/kmp-rtmp.fish': run('completion', 'fish'),
    [`${DOC}/copyright`]: run('licenses'),
    [`${DOC}/changelog.gz`]: gzipped(readFileSync('CHANGELOG.md')),
    ...pages('docs', DOC),
  };
}

/** The project's pages, with what they link to: alerts, dashboard and pictures of the protocol pages. */
function pages(folder, to) {
  const files = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && /\.(md|yml|json|svg)$/.test(entry.name),
  );
  return Object.fromEntries(files.map(({ name }) => [`${to}/${name}`, readFileSync(join(folder, name))]));
}

/** The unit of packaging/, for a program in /usr/bin and for the user that the package creates. */
function unit() {
  const changes = [
    [/^# systemd unit\.[^[]*/, '# Change this unit with: systemctl edit kmp-rtmp\n'],
    [/\/usr\/local\/bin\/kmp-rtmp/g, '/usr/bin/kmp-rtmp'],
    [/^# systemd creates a user for the service at the start\. Dumps/m, '# Dumps'],
    [/^DynamicUser=yes$/m, 'User=kmp-rtmp\nGroup=kmp-rtmp'],
  ];
  return changes.reduce(
    (text, [from, to]) => {
      if (text.search(from) < 0) throw new Error(`packaging/kmp-rtmp.service has no ${from}`);
      return text.replace(from, to);
    },
    readFileSync('packaging/kmp-rtmp.service', 'utf8'),
  );
}

function gzipped(content) {
  return gzipSync(content, { level: 9 });
}
