// `npm run package:executable`: one file that runs without Node, npm and this folder (Node's single executable
// applications). It is a copy of the Node that runs this script, with the program and its files inside; nothing is
// downloaded. Options: --out FOLDER (default: release), --node-license FILE.
import { execFileSync } from 'node:child_process';
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
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inject } from 'postject';
import { assets } from './assets.js';
import { bundle } from './bundle.js';
import { licenseText } from './licenses.js';
import { giveUp, readOptions } from './options.js';

/** Marks the place that Node looks at when it starts (Node's documentation, Single executable applications). */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Makes the executable in a folder. Returns its path. */
export async function makeExecutable(out, nodeLicense) {
  checkNode();
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const work = mkdtempSync(join(tmpdir(), 'kmp-rtmp-executable-'));
  try {
    const main = join(work, 'kmp-rtmp.cjs');
    const inputs = await bundle(main);
    const licenses = licenseText(inputs, ['node_modules/uplot'], nodeLicense);
    const blob = join(work, 'blob');
    const config = join(work, 'config.json');
    writeFileSync(config, JSON.stringify(configOf(main, blob, assets(work, licenses))));
    // Its output is shown only if it fails.
    execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'pipe' });
    mkdirSync(out, { recursive: true });
    const made = join(work, 'kmp-rtmp');
    copyFileSync(process.execPath, made);
    chmodSync(made, 0o755);
    await quietly(() => inject(made, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: FUSE }));
    const path = join(out, `kmp-rtmp-${version}-${process.platform}-${process.arch}`);
    // A program that runs cannot be overwritten, but it can be removed.
    rmSync(path, { force: true });
    copyFileSync(made, path);
    return path;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function configOf(main, output, files) {
  return {
    main,
    output,
    assets: files,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    // Versions that know it do not open their debugger on SIGUSR1 before the program handles the signal.
    ...(process.allowedNodeEnvironmentFlags.has('--disable-sigusr1') ? { execArgv: ['--disable-sigusr1'] } : {}),
  };
}

/** Some distributions build Node from shared libraries of their own, which other machines do not have. */
function checkNode() {
  if (process.platform !== 'linux') throw new Error('an executable can be made on Linux only');
  const shared = Object.entries(process.config.variables).filter(([name, value]) => isShared(name, value));
  if (shared.length > 0 || !readFileSync(process.execPath).includes(FUSE)) {
    throw new Error(
      `${process.execPath} is not complete in one file (${shared.map(([name]) => name).join(', ')}): ` +
        'use a Node from nodejs.org, or the one of the npm package "node"',
    );
  }
}

function isShared(name, value) {
  return /^node_shared(_|$)/.test(name) && (value === true || value === 'true');
}

/** postject prints that Node's own sections look unusual to it; they are as they should be. */
async function quietly(work) {
  const { log, warn } = console;
  console.log = console.warn = () => {};
  try {
    await work();
  } finally {
    Object.assign(console, { log, warn });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { out, 'node-license': nodeLicense } = readOptions('package:executable', {
    out: { type: 'string', default: 'release' },
    'node-license': { type: 'string' },
  });
  // Before the work of a minute.
  if (nodeLicense !== undefined && !existsSync(nodeLicense))
    giveUp('package:executable', `--node-license: there is no file ${nodeLicense}`);
  try {
    mkdirSync(out, { recursive: true });
  } catch (error) {
    giveUp('package:executable', `--out: ${error.message}`);
  }
  console.log(await makeExecutable(out, nodeLicense));
}
