import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ConfigError } from '../../../lib/config/errors.js';
import { parseConfig } from '../../../lib/config/load.js';
import type { SigningSecret } from '../../../lib/base/signing-secret.js';
import { Folder } from '../../support/process/cli.js';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(16)) as [string, string, string];

describe('secrets of senders', () => {
  let folder: Folder;
  beforeEach(() => (folder = new Folder()));
  afterEach(() => folder.remove());

  const load = (directives: string): readonly SigningSecret[] | undefined =>
    parseConfig(`stream { server { listen 8005; kmp_rtmp; ${directives} } }`, `${folder.path}/a.conf`).kmpServers[0]
      ?.secrets;

  /** The message of the error. It must not contain the secret. */
  function failure(directives: string, secret = 'short'): string {
    try {
      load(directives);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      assert.ok(!error.message.includes(secret), error.message);
      return error.message.replaceAll(folder.path, '');
    }
    return 'no error';
  }

  it('come from directives first, then from files, with and without names', () => {
    folder.file('one', `# comment\r\n\r\n${B}\r\n`);
    folder.file('two', `studio-b ${C}`);
    const directives = `kmp_rtmp_in_secret_file one; kmp_rtmp_in_secret studio.a@x ${A}; kmp_rtmp_in_secret_file two;`;
    assert.deepEqual(load(directives), [
      { name: 'studio.a@x', secret: A },
      { name: '', secret: B },
      { name: 'studio-b', secret: C },
    ]);
    assert.deepEqual(load(''), []);
  });

  it('are checked, and are not in the messages', () => {
    folder.file('empty', '# nothing\n');
    folder.file('words', `a b ${A}\n`);
    folder.file('short', `${A}\nname fifteen-letters\n`);
    folder.file('many', `${Array.from({ length: 65 }, (_, n) => `${A}${n}`).join('\n')}\n`);
    assert.match(
      failure('kmp_rtmp_in_secret fifteen-letters;', 'fifteen-letters'),
      /has 15 characters; .* at least 16/,
    );
    assert.match(failure(`kmp_rtmp_in_secret "${A} ${A}";`, A), /printable ASCII characters and no spaces/);
    assert.match(failure(`kmp_rtmp_in_secret "a/b" ${A};`, A), /a name has 1 to 64 letters/);
    assert.match(failure('kmp_rtmp_in_secret_file empty;'), /^\/empty:1: there is no secret/);
    assert.match(failure('kmp_rtmp_in_secret_file words;', A), /^\/words:1: expected \[NAME\] SECRET/);
    assert.match(failure('kmp_rtmp_in_secret_file short;', 'fifteen-letters'), /^\/short:2: the secret has 15/);
    assert.match(failure('kmp_rtmp_in_secret_file many;', A), /65 secrets of senders; the maximum is 64/);
    assert.match(failure('kmp_rtmp_in_secret_file missing;'), /^\/a\.conf:1: cannot read \/missing/);
  });

  it('of a controller in another process: the first one of its file', () => {
    folder.file('secrets', `${A}\nother ${B}\n`);
    const text = 'kmp_rtmp_control kmp=192.0.2.1:8005; kmp_rtmp_control_secret_file secrets;';
    const { httpServers } = parseConfig(
      `http { server { listen 1; location /c { ${text} kmp_rtmp_route . rtmp://a/b/c; } } }`,
      `${folder.path}/a.conf`,
    );
    assert.equal(httpServers[0]?.locations[0]?.control?.secret, A);
  });
});
