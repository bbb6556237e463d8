// The licences of all software inside a single executable: the packages in the bundle, and Node itself.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** Where the official archive, the npm package and the packages of distributions have Node's licence. */
const NODE_LICENCES = ['../LICENSE', '../../LICENSE', '../share/doc/nodejs/LICENSE', '../share/doc/node/LICENSE'];

/**
 * @param inputs paths of the files in the bundle
 * @param more folders of packages that are in the executable as files
 * @param nodeLicence path of Node's licence; by default it is searched beside the Node that runs this
 */
export function licenseText(inputs, more, nodeLicence = findNodeLicence()) {
  const folders = new Set([...inputs.flatMap(packageFolder), ...more]);
  const parts = [...folders].sort(byName).map(partOf);
  const head = `This program contains the following software.`;
  return [
    head,
    ...parts,
    section(`Node.js ${process.version}`, 'https://nodejs.org/', readFileSync(nodeLicence, 'utf8')),
  ]
    .join('\n\n')
    .concat('\n');
}

/** The folder of the package that a file belongs to, in a list; an empty list for files of the project. */
function packageFolder(path) {
  const [folder] = /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(path) ?? [];
  return folder === undefined ? [] : [folder];
}

function byName(a, b) {
  return a.replace(/^.*node_modules\//, '') < b.replace(/^.*node_modules\//, '') ? -1 : 1;
}

function partOf(folder) {
  const { name, version, license, author, homepage, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (license === undefined && texts.length === 0) throw new Error(`${folder} does not state its licence`);
  // Some packages state the name of their licence only.
  const stated = `Licence: ${licenceName(license)}${author === undefined ? '' : `\nAuthor: ${nameOf(author)}`}`;
  const source = homepage ?? (typeof repository === 'string' ? repository : repository?.url) ?? '';
  return section(`${name} ${version}`, source, [stated, ...texts].join('\n\n'));
}

function licenceName(license) {
  return typeof license === 'string' ? license : (license?.type ?? 'see below');
}

function nameOf(author) {
  return typeof author === 'string' ? author : author.name;
}

function section(title, source, text) {
  return `${'-'.repeat(80)}\n${title}\n${source}\n\n${text.trim()}`;
}

function findNodeLicence() {
  const bin = dirname(process.execPath);
  const found = NODE_LICENCES.map((path) => join(bin, path)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(`there is no LICENSE beside ${process.execPath}: name the file with --node-license FILE`);
}
