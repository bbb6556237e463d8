// Imported first by the single executable, for its effect: files of the package come from inside the executable.
import { getAsset } from 'node:sea';
import { useEmbeddedFiles } from '../lib/base/package-files.js';

/** The list of all names, which scripts/package/assets.js adds: not every version of Node can list them. */
const names = JSON.parse(getAsset('names.json', 'utf8')) as readonly string[];

useEmbeddedFiles({ names, read: (name) => Buffer.from(getAsset(name)) });
