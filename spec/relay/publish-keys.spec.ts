import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { allowedName, parseKeyFile, parsePublishKey } from '../../lib/relay/publish-keys.js';

describe('keys of publishers', () => {
  const keys = parseKeyFile('# who may publish\n\nany-name-key\nstudio:studio-key\r\n', 'keys');

  it('are given behind the name, or alone', () => {
    const rows: [string, string | undefined][] = [
      ['cam?key=any-name-key', 'cam'],
      ['any-name-key', 'live'],
      ['studio?key=studio-key', 'studio'],
      ['studio-key', 'studio'],
      ['cam?a=1&key=any-name-key&b=2', 'cam?a=1&b=2'],
      ['cam?key=any%2Dname-key', 'cam'],
      ['any-name-key?a=1', 'live?a=1'],
      ['cam?key=studio-key', undefined],
      ['cam', undefined],
      ['cam?key=', undefined],
      ['?key=', undefined],
      ['', undefined],
      ['cam?key=any-name-ke', undefined],
      ['cam?key=any-name-keyy', undefined],
      ['cam?key=wrong&key=any-name-key', undefined],
      ['cam?key=%', undefined],
    ];
    for (const [published, name] of rows) assert.equal(allowedName(keys, published), name, published);
    assert.equal(allowedName([], 'cam?key=any-name-key'), undefined);
  });

  it('must not be easy to guess, or impossible to give', () => {
    const bad = [
      '',
      'short',
      'has space in it',
      'with?question',
      'a&b-and-more',
      ':no-name-here',
      'na me:long-enough',
      'ümläut-key',
    ];
    for (const text of bad) assert.throws(() => parsePublishKey(text), { code: 'publish_key' }, text);
    assert.throws(() => parseKeyFile('good-enough\nbad\n', 'the-file'), /^PublishKey|the-file, line 2: .*at least 8/);
  });
});
