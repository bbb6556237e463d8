import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseTokens } from '../../../lib/config/access/tokens.js';
import { loadConfig } from '../../../lib/config/load.js';
import type { LocationConfig } from '../../../lib/config/locations.js';
import { Folder } from '../../support/process/cli.js';

// printf %s s3cret | sha256sum
const S3CRET = '1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0';

describe('a file of tokens', () => {
  it('has a name, roles and a token, or its digest, on each line', () => {
    const text = `# name      roles          token
grafana read s3cret\r
  night\twrite,read   n1ght-t0ken==

encoder control sha256:${S3CRET.toUpperCase().replace(/^1E/, '2e')}
admin all x
`;
    assert.deepEqual(
      parseTokens(text, 'tokens').map(({ name, roles, sha256 }) => [name, roles.join(), sha256.slice(0, 4)]),
      [
        ['grafana', 'read', '1ec1'],
        ['night', 'read,write', '4d9e'],
        ['encoder', 'control', '2ec1'],
        ['admin', 'read,write,control', '2d71'],
      ],
    );
  });

  it('may have several tokens of one name, and write includes read', () => {
    const tokens = parseTokens('ops write old\nops write new', 'tokens');
    assert.deepEqual(
      tokens.map(({ name, roles }) => [name, roles.join()]),
      [
        ['ops', 'read,write'],
        ['ops', 'read,write'],
      ],
    );
  });

  const bad: [string, RegExp][] = [
    ['', /^tokens:1: there is no token; expected NAME ROLES TOKEN/],
    ['# nothing\n', /^tokens:1: there is no token/],
    ['a read', /^tokens:1: expected NAME ROLES TOKEN/],
    ['a read s3cret x', /^tokens:1: expected NAME ROLES TOKEN/],
    ['ok read x\na reed s3cret', /^tokens:2: roles are a list of read, write, control/],
    ['a read,,write s3cret', /^tokens:1: roles are/],
    ['a"b read s3cret', /^tokens:1: a name has 1 to 64 letters/],
    ['a read s3cret:x', /^tokens:1: a token has letters/],
    ['a read sha256:12', /^tokens:1: a token has letters/],
    [`a read s3cret\nb write sha256:${S3CRET}`, /^tokens:2: an earlier line has the same token/],
  ];
  for (const [text, message] of bad) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseTokens(text, 'tokens'),
        (error: Error) => message.test(error.message) && !error.message.includes('s3cret'),
      );
    });
  }
});

describe('a token that can be guessed', () => {
  it('causes a warning with the line of the file, which does not contain it', () => {
    const warnings: string[] = [];
    const text = `a read 12345678\nb read s3cret\nc read sha256:${'0'.repeat(64)}\n`;
    parseTokens(text, 'tokens', (warning) => warnings.push(warning));
    assert.deepEqual(warnings, ['tokens:2: a secret of 6 characters can be guessed; use at least 8']);
  });
});

describe('kmp_rtmp_api_token_file', () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
    mkdirSync(join(folder.path, 'conf'));
    folder.file('conf/one', 'one read 1\n');
    folder.file('conf/two', 'two all 2\n');
  });
  afterEach(() => folder.remove());

  const load = (text: string, env: Record<string, string> = {}): readonly LocationConfig[] => {
    const file = folder.file('conf/kmp.conf', text);
    return loadConfig(file, { env }).httpServers[0]?.locations ?? [];
  };
  const names = (location: LocationConfig | undefined): string[] => location?.tokens.map(({ name }) => name) ?? [];

  it('is relative to the configuration file, and may be repeated', () => {
    const text = 'kmp_rtmp_api_token_file one; kmp_rtmp_api_token_file two; kmp_rtmp_api_token old;';
    const [location] = load(`http { ${text} server { listen 1; location / { kmp_rtmp_api; } } }`);
    assert.deepEqual([names(location), location?.token], [['one', 'two'], 'old']);
  });

  it('is replaced, as kmp_rtmp_api_token is, by either of them in an inner block', () => {
    const text = `location / { kmp_rtmp_status; }
      location /a/ { kmp_rtmp_api; kmp_rtmp_api_token inner; }
      location /bb/ { kmp_rtmp_api; kmp_rtmp_api_token_file two; }`;
    const outer = 'kmp_rtmp_api_token outer; kmp_rtmp_api_token_file one;';
    const found = load(`http { ${outer} server { listen 1; ${text} } }`);
    assert.deepEqual(
      found.map((location) => [location.path, location.token, names(location).join()]),
      [
        ['/bb/', undefined, 'two'],
        ['/a/', 'inner', ''],
        ['/', 'outer', 'one'],
      ],
    );
  });

  it('as a variable it replaces all tokens of the file', () => {
    const text = 'http { kmp_rtmp_api_token t; server { listen 1; location / { kmp_rtmp_api; } } }';
    const [location] = load(text, { KMP_RTMP_API_TOKEN_FILE: join(folder.path, 'conf/two') });
    assert.deepEqual([location?.token, names(location)], [undefined, ['two']]);
  });

  it('has to be readable', () => {
    const text = 'http { server { listen 1; location / {\nkmp_rtmp_api;\nkmp_rtmp_api_token_file none; } } }';
    assert.throws(() => load(text), /kmp\.conf:3: cannot read .*conf\/none: the file does not exist/);
  });
});
