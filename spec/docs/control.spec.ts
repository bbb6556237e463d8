import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseConfig } from '../../lib/config/load.js';
import { Service } from '../../lib/service.js';

interface Answer {
  readonly code: string;
  readonly upstreams: { readonly id: string; readonly url: string; readonly connect_data: string }[];
}

const text = readFileSync('docs/control.md', 'utf8');

/** The first block of `language` in the page. */
function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(text)?.[1];
  assert.ok(found !== undefined, `docs/control.md has no ${language} block`);
  return found;
}

describe('docs/control.md', () => {
  it('has a configuration and a question that give the answer it shows', async () => {
    const [, url = '', body = ''] = /curl -s (\S+) -d '([^']+)'/.exec(block('sh')) ?? [];
    const shown = JSON.parse(block('json')) as Answer;
    // The same on ports that are free wherever this runs.
    const config = parseConfig(block('nginx').replace(/listen 127\.0\.0\.1:\d+/g, 'listen 127.0.0.1:0'));
    assert.deepEqual(config.warnings, []);
    const service = new Service(config);
    await service.start();
    try {
      const port = service.httpAddresses[0]?.port;
      const asked = new URL(url);
      asked.port = String(port);
      // As curl does it: a form's content type.
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const reply = await fetch(asked, { method: 'POST', body, headers });
      const answer = (await reply.json()) as Answer;
      const { upstreams, ...rest } = answer;
      const { upstreams: expected, ...others } = shown;
      assert.deepEqual(rest, others);
      assert.deepEqual(
        upstreams.map(({ id }) => id),
        expected.map(({ id }) => id),
      );
      upstreams.forEach(({ url: kmp, connect_data }, index) => {
        assert.equal(kmp, `kmp://127.0.0.1:${service.kmpAddresses[0]?.port}`);
        const begin = expected[index]?.connect_data.replace('...', '') ?? '';
        assert.ok(begin.length > 40 && connect_data.startsWith(begin));
      });
    } finally {
      service.kill();
    }
  });
});
