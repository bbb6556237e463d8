// What a release attaches: the single executable and the Debian package. Both are made once, installed and run.
import { after, before, describe } from 'node:test';
import { Folder } from '../support/process/cli.js';
import { cannotBuild, makeDeb, makeExecutable } from './packages/build.js';
import { cannotInstall, debChecks } from './packages/deb-checks.js';
import { executableChecks } from './packages/executable-checks.js';

describe('packages of a release', { skip: cannotBuild() }, () => {
  let folder: Folder;
  let executable = '';
  before(async () => {
    folder = new Folder();
    executable = await makeExecutable(folder.path);
  });
  after(() => folder.remove());

  describe('the single executable', () => executableChecks(() => executable));

  describe('the Debian package', { skip: cannotInstall() }, () => {
    let deb = '';
    before(async () => (deb = await makeDeb(folder.path, executable)));
    debChecks(() => deb);
  });
});
