import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { jsonInParts } from '../../lib/api/json-parts.js';

const record = (entries: [string, unknown][]): Record<string, unknown> =>
  Object.assign(Object.create(null) as object, Object.fromEntries(entries)) as Record<string, unknown>;

describe('JSON in parts', () => {
  const ids = ['u1', '__proto__x', 'a"b\\c\nd', '\u00e9\u{1f600}', '\ud800', 'x'.repeat(300), '7', 'constructor'];
  const upstreams = record(
    ids.map((id, i) => [
      id,
      { id: i, text: 'a\nb', list: [1, [2, {}], []], none: null, gone: undefined, deep: { a: {} } },
    ]),
  );
  const values: [string, object, string | undefined][] = [
    ['a list of upstreams', upstreams, undefined],
    ['a status', { version: '1', upstreams, missing_workers: undefined, uptime: 5 }, 'upstreams'],
    ['a status without upstreams', { version: '1', upstreams: {}, missing_workers: [1] }, 'upstreams'],
    ['nothing', {}, undefined],
    ['only what JSON leaves out', { a: undefined }, undefined],
    ['2000 entries', record(Array.from({ length: 2000 }, (_, i) => [`n${i}`, i])), undefined],
  ];
  for (const [what, value, large] of values) {
    it(`${what}: the same text as JSON.stringify, with and without indentation`, async () => {
      const key = large as keyof typeof value | undefined;
      assert.equal((await jsonInParts(value, key)).toString(), Buffer.from(JSON.stringify(value)).toString());
      assert.equal(
        (await jsonInParts(value, key, true)).toString(),
        Buffer.from(JSON.stringify(value, null, 4)).toString(),
      );
    });
  }
});
