import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { directiveNames } from '../../lib/config/directives.js';
import { ConfigError } from '../../lib/config/errors.js';
import { parseConfig } from '../../lib/config/load.js';
import type { Source } from '../../lib/config/nginx/source.js';

/** One file, which includes itself under other names without end. */
const endless: Source = {
  read: (path) => `include ${path}x; include *; kmp_rtmp_in_ack on;`,
  exists: () => true,
  list: () => ['a', 'b', 'c'],
};

/** Either a configuration or an error that says where. */
function survives(text: string): void {
  try {
    assert.ok(parseConfig(text, 'a.conf', { source: endless }).file);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(error.message, /^.+?(:\d+)?: ./);
  }
}

const words = fc.oneof(
  fc.constantFrom(
    ...directiveNames,
    ...['{', '}', ';', '"', "'", '\\', '#', '\n', '$', '${', '*', '__proto__', 'constructor'],
  ),
  fc.constantFrom('on', 'off', '1', '64k', '10s', 'all', '127.0.0.1:1', '[::1]:1', 'rtmp://a/b/$1', '(', '/', '='),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

describe('a hostile configuration', () => {
  it('of random words gives a result or a clear error', () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), (parts) => survives(parts.join(' '))),
      { numRuns: 2000 },
    );
  });

  it('of random directives with random arguments does too', () => {
    const directive = fc
      .tuple(fc.constantFrom(...directiveNames), fc.array(words, { maxLength: 4 }))
      .map(([name, args]) => `${name} ${args.map((arg) => JSON.stringify(arg)).join(' ')};`);
    const lines = fc.array(directive, { maxLength: 3 }).map((all) => all.join('\n'));
    fc.assert(
      fc.property(lines, lines, lines, (stream, server, location) =>
        survives(`
          stream { ${stream} server { listen 1; kmp_rtmp; ${server} } }
          http { server { listen 2; location / { kmp_rtmp_health; ${location} } } }`),
      ),
      { numRuns: 3000 },
    );
  });

  it('truncated at any character does too', () => {
    const text = `# c\nuser "a b";stream { server { listen [::1]:80 backlog=5; kmp_rtmp; kmp_rtmp_out_deny 10.0.0.0/8:1; } }
      http { server { listen 8001; location = /x { kmp_rtmp_control; kmp_rtmp_route '^(a)' rtmp://b/c/$1; } } }`;
    for (let length = 0; length <= text.length; length++) survives(text.slice(0, length));
  });

  it('with names of inherited properties finds no directive', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const { warnings } = parseConfig(`${name} x; stream { server { listen 1; kmp_rtmp; ${name} { } } }`, 'a.conf');
      assert.deepEqual(warnings, [`a.conf:1: "${name}" has no effect here`]);
      const leftOut = `server { ${name} { ${name} { } } }`;
      const block = parseConfig(`stream { ${leftOut} server { listen 1; kmp_rtmp; } } http { ${leftOut} }`, 'a.conf');
      assert.equal(block.kmpServers.length, 1);
    }
  });
});
