/** The Debian package: installed, run and purged with dpkg. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { Run } from '../../support/process/cli.js';

const CONFIG = '/etc/kmp-rtmp/kmp-rtmp.conf';
const UNIT = '/usr/lib/systemd/system/kmp-rtmp.service';

/** Nothing here has to survive a power failure. */
const FAST = ['--force-unsafe-io'];

/** Why the package cannot be installed here; `false` if it can. */
export function cannotInstall(): string | false {
  if (process.env['CI'] !== 'true') return 'it installs a package on this machine: only with CI=true';
  if (process.getuid?.() !== 0) return 'dpkg -i needs root';
  if (spawnSync('dpkg', ['--version']).status !== 0) return 'there is no dpkg here';
  return existsSync('/usr/bin/kmp-rtmp') ? 'kmp-rtmp is already installed on this machine' : false;
}

/** @param deb its path, once it is made */
export function debChecks(deb: () => string): void {
  let files: string[];
  before(() => {
    const listed = output('dpkg-deb', '--fsys-tarfile', deb());
    files = execFileSync('tar', ['--list'], { input: listed, encoding: 'utf8' }).split('\n');
  });
  after(() => spawnSync('dpkg', ['--purge', 'kmp-rtmp']));

  it('installs program, unit, configuration, manual page and completion', () => {
    const said = output('dpkg', ...FAST, '--install', deb()).toString();
    assert.match(said, /systemctl enable --now kmp-rtmp/);
    for (const path of [
      './usr/bin/kmp-rtmp',
      `.${CONFIG}`,
      `.${UNIT}`,
      './etc/logrotate.d/kmp-rtmp',
      './usr/share/man/man1/kmp-rtmp.1.gz',
      './usr/share/bash-completion/completions/kmp-rtmp',
      './usr/share/zsh/vendor-completions/_kmp-rtmp',
      './usr/share/fish/vendor_completions.d/kmp-rtmp.fish',
      './usr/share/doc/kmp-rtmp/copyright',
    ]) {
      assert.ok(files.includes(path), path);
    }
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.equal(output('/usr/bin/kmp-rtmp', '--version').toString(), `${version}\n`);
    assert.equal(spawnSync('dpkg', ['--verify', 'kmp-rtmp']).stdout.toString(), '');
  });

  it('lets root and the user of the service read the configuration, and nobody else', () => {
    const { uid, gid } = userOf('kmp-rtmp');
    assert.ok(uid > 0 && uid < 1000, 'a system user');
    const { mode, ...owner } = statSync(CONFIG);
    assert.deepEqual([mode & 0o777, owner.uid, owner.gid], [0o640, 0, gid]);
  });

  it('has a unit without errors', (t) => {
    const { error, status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8' });
    if (error !== undefined) return t.skip('there is no systemd-analyze here');
    assert.doesNotMatch(stdout + stderr, /kmp-rtmp/);
    assert.equal(status, 0, stderr);
  });

  it('runs with the installed configuration as the user of the service, and ends in order', async () => {
    const args = ['-c', CONFIG, '--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0'];
    const { uid, gid } = userOf('kmp-rtmp');
    const service = new Run(args, {}, undefined, { command: '/usr/bin/kmp-rtmp', cwd: '/', uid, gid });
    try {
      const [, http = ''] = await service.says(/answers HTTP on (http:\S+)\/\n/);
      const answer = await fetch(`${http}/healthz`);
      assert.equal(answer.status, 200);
      await answer.text();
    } finally {
      service.kill('SIGTERM');
    }
    assert.equal((await service.ended).code, 0, service.stderr);
  });

  it('keeps an edited configuration when it is installed over itself', () => {
    appendFileSync(CONFIG, '# edited\n');
    output('dpkg', ...FAST, '--install', deb());
    assert.match(readFileSync(CONFIG, 'utf8'), /^# edited$/m);
    assert.equal(statSync(CONFIG).mode & 0o777, 0o640);
  });

  it('leaves nothing when it is purged', () => {
    output('dpkg', ...FAST, '--purge', 'kmp-rtmp');
    // Folders that belong to the package alone, and files.
    const left = files.filter((path) => /kmp-rtmp/.test(path) && existsSync(path.slice(1)));
    assert.deepEqual(left, []);
    for (const folder of ['/var/lib/kmp-rtmp', '/var/log/kmp-rtmp']) assert.ok(!existsSync(folder), folder);
    assert.notEqual(spawnSync('getent', ['passwd', 'kmp-rtmp']).status, 0);
    assert.notEqual(spawnSync('getent', ['group', 'kmp-rtmp']).status, 0);
  });
}

function output(command: string, ...args: string[]): Buffer {
  return execFileSync(command, args, { maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] });
}

function userOf(name: string): { uid: number; gid: number } {
  const [, , uid, gid] = output('getent', 'passwd', name).toString().split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
