// `npm run package:deb`: a Debian package with the single executable, its unit, an example configuration, a manual page
// and completion. It needs dpkg-deb. Options: --out FOLDER (default: release), --executable FILE (default: it is made),
// --maintainer 'NAME <MAIL>', --compression none|gzip|xz|zstd (default: xz).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { dependsOf } from './deb-depends.js';
import { CONFFILES, debFiles } from './deb-files.js';
import { makeExecutable } from './executable.js';
import { giveUp, readOptions } from './options.js';

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64', arm: 'armhf', ppc64: 'ppc64el', s390x: 's390x' };
const COMPRESSIONS = ['none', 'gzip', 'xz', 'zstd'];
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

const options = readOptions('package:deb', {
  out: { type: 'string', default: 'release' },
  executable: { type: 'string' },
  maintainer: { type: 'string', default: 'The contributors of kmp-rtmp' },
  compression: { type: 'string', default: 'xz' },
});
if (options.executable !== undefined && !existsSync(options.executable))
  giveUp('package:deb', `--executable: there is no file ${options.executable}`);
if (!COMPRESSIONS.includes(options.compression))
  giveUp('package:deb', `--compression ${options.compression}: ${COMPRESSIONS.join(', ')} is expected`);
const { version, homepage } = JSON.parse(readFileSync('package.json', 'utf8'));
const architecture = ARCHITECTURES[process.arch];
if (architecture === undefined) throw new Error(`Debian has no architecture for ${process.arch}`);

const tree = mkdtempSync(join(tmpdir(), 'kmp-rtmp-deb-'));
try {
  chmodSync(tree, 0o755);
  const executable = resolve(options.executable ?? (await makeExecutable(options.out)));
  const sums = [];
  put('/usr/bin/kmp-rtmp', readFileSync(executable), 0o755);
  const run = (...args) => execFileSync(executable, args, { encoding: 'utf8', maxBuffer: 2 ** 24 });
  for (const [path, content] of Object.entries(debFiles(run))) put(path, content, 0o644);

  mkdirSync(join(tree, 'DEBIAN'), { mode: 0o755 });
  const control = (name, text) => writeFileSync(join(tree, 'DEBIAN', name), text, { mode: 0o644 });
  control('control', controlText(readFileSync(executable)));
  control('conffiles', CONFFILES.map((path) => `${path}\n`).join(''));
  control('md5sums', sums.join(''));
  for (const name of SCRIPTS) {
    copyFileSync(join('packaging/deb', name), join(tree, 'DEBIAN', name));
    chmodSync(join(tree, 'DEBIAN', name), 0o755);
  }
  mkdirSync(options.out, { recursive: true });
  const made = join(options.out, `kmp-rtmp_${debianVersion()}_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', `-Z${options.compression}`, '--build', tree, made], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(made);

  function put(path, content, mode) {
    const file = join(tree, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content);
    // The umask of the user does not count.
    chmodSync(file, mode);
    if (!CONFFILES.includes(path)) sums.push(`${createHash('md5').update(content).digest('hex')}  ${path.slice(1)}\n`);
  }
} finally {
  rmSync(tree, { recursive: true, force: true });
}

/** A release candidate comes before its release: 1.0.0~rc.1 < 1.0.0. */
function debianVersion() {
  return version.replace('-', '~');
}

function controlText(program) {
  return [
    'Package: kmp-rtmp',
    `Version: ${debianVersion()}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${options.maintainer}`,
    `Installed-Size: ${Math.ceil(program.length / 1024)}`,
    // passwd: the package creates a user.
    `Depends: ${[...dependsOf(program), 'passwd'].join(', ')}`,
    'Suggests: logrotate',
    'Section: video',
    'Priority: optional',
    `Homepage: ${homepage.replace(/#.*/, '')}`,
    `Description: ${readFileSync('packaging/deb/description', 'utf8').trimEnd()}`,
    '',
  ].join('\n');
}
