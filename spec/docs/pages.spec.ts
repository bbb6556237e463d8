// What the pages say holds: links lead somewhere, commands are taken, configurations load, names are there.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { createProgram } from '../../lib/cli/main.js';
import { fileSystem } from '../../lib/config/nginx/source.js';
import { directiveNames } from '../../lib/config/directives.js';
import { loadConfig, parseConfig } from '../../lib/config/load.js';
import { overrideNames } from '../../lib/config/overrides.js';
import { blocks, pages, prose, type Page } from './pages.js';

/** A heading's anchor, as hosts of repositories make them. */
function anchors(path: string): Set<string> {
  const headings = readFileSync(path, 'utf8').matchAll(/^#+ +(.+)$/gm);
  return new Set(
    [...headings].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** What is wrong with the relative links of a page. */
function brokenLinks(page: Page): string[] {
  const targets = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.flatMap((target) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [file = '', anchor] = target.split('#');
    const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
    if (!existsSync(path)) return [`${page.path}: ${target}`];
    return anchor === undefined || anchors(path).has(anchor) ? [] : [`${page.path}: ${target}: no such heading`];
  });
}

/** Words of a command line as a shell splits them, up to a comment, a pipe or a redirection. */
function words(line: string): string[] {
  const found = line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g);
  const all = [...found].map(([, double, single, plain]) => double ?? single ?? plain ?? '');
  const end = all.findIndex((word) => /^(#.*|[|&;>]+|>.+)$/.test(word));
  return end < 0 ? all : all.slice(0, end);
}

/** Command lines of the service in shell blocks and in code within the text, as the reader would type them. */
function commandLines(page: Page): string[] {
  const inBlocks = blocks(page)
    .filter(({ language }) => language === 'sh' || language === '')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'));
  const inText = [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...inBlocks, ...inText].filter((line) => /^([A-Z_]+=\S+ )*(npx )?kmp-rtmp( |$)/.test(line.trim()));
}

/** Takes a command line as the program does, up to where it would act. @throws CommanderError, Error */
async function take(line: string): Promise<void> {
  const all = words(line.trim().replace(' COMMAND', ' send').replace('reload|quit|stop|reopen', 'reload'));
  const at = all.indexOf('kmp-rtmp');
  for (const assignment of all.slice(0, at).filter((word) => word.includes('='))) {
    const [name = ''] = assignment.split('=');
    assert.ok(variables.has(name), `${name} is no variable of a directive`);
  }
  const program = createProgram().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  // Mentioned by its name alone.
  if (all.length === at + 2 && program.commands.some((command) => command.name() === all.at(-1))) return;
  for (const command of program.commands) {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} }).action(() => {});
  }
  try {
    await program.parseAsync(['node', 'kmp-rtmp', ...all.slice(at + 1)]);
  } catch (error) {
    const asked = error instanceof Error && 'exitCode' in error && error.exitCode === 0;
    if (!asked) throw error;
  }
}

const variables = new Set(overrideNames.map(({ env }) => env));

describe('pages', () => {
  it('have links that lead somewhere', () => {
    assert.deepEqual(pages.flatMap(brokenLinks), []);
  });

  it('are led to by docs/index.md, each once', () => {
    const index = readFileSync('docs/index.md', 'utf8');
    const listed = [...index.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, name = '']) => name).sort();
    const there = readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'index.md');
    assert.deepEqual(listed, there.sort());
  });

  for (const page of pages) {
    const lines = [...new Set(commandLines(page))];
    if (lines.length === 0) continue;
    it(`${page.path}: its ${lines.length} command lines are taken`, async () => {
      for (const line of lines) {
        await assert.doesNotReject(take(line), `${page.path}: ${line}`);
      }
    });
  }

  it('quote what a shell would take for a pattern: zsh refuses a line with a bare ?', () => {
    for (const page of pages) {
      for (const line of blocks(page).flatMap(({ language, text }) => (language === 'sh' ? text.split('\n') : []))) {
        const bare = line.replaceAll(/"[^"]*"|'[^']*'|(^|\s)#.*/g, '');
        assert.doesNotMatch(bare, /\S*:\/\/\S*[?*[\]&]/, `${page.path}: ${line}`);
      }
    }
  });

  it('name scripts that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    for (const { path, text } of pages) {
      for (const [, name = ''] of text.matchAll(/npm run ([\w:]+)/g)) {
        assert.ok(name in scripts, `${path}: npm run ${name}`);
      }
    }
  });

  it('have configurations that load without a warning', () => {
    const ours = pages
      .flatMap(blocks)
      .filter(({ language, text }) => language === 'nginx' && text.includes('kmp_rtmp'));
    assert.ok(ours.length >= 5);
    // The files that they name are in the pages too.
    const tokens = pages.flatMap(blocks).find(({ text }) => text.startsWith('# NAME'))?.text ?? '';
    const secrets = pages.flatMap(blocks).find(({ text }) => text.startsWith('studio-a '))?.text ?? '';
    const read = (path: string): string => {
      if (path.endsWith('/peer-token') || path.endsWith('/engine-password'))
        return '0123456789abcdef0123456789abcdef\n';
      return path.endsWith('/secrets') ? secrets : tokens;
    };
    const source = { ...fileSystem, read };
    for (const { page, text } of ours) {
      // Lines without a block are those of a KMP server.
      const whole = text.includes('{') ? text : `stream { server { listen 8005; kmp_rtmp; ${text} } }`;
      const { warnings } = parseConfig(whole, page, { source });
      // The sample of the module has a writable API on all addresses. The page says that this is warned of.
      const others = warnings.filter((one) => page !== 'docs/moving-from-nginx.md' || !one.includes('write=on'));
      assert.deepEqual(others, [], page);
    }
  });

  it('name only existing directives', () => {
    const known = new Set([...directiveNames, 'kmp_rtmp_api_token']);
    // Names of metrics, which spec/api/dashboards.spec.ts knows, end in a unit or stand for a sum.
    const metric =
      /_(total|bytes|seconds|info|state|upstreams|streams|workers|destination|fds|ratio)$|^kmp_rtmp_fleet_\w+$/;
    for (const page of pages) {
      for (const [, name = ''] of page.text.matchAll(/`(kmp_rtmp(?:_\w+)?)\b/g)) {
        assert.ok(known.has(name) || metric.test(name), `${page.path}: ${name}`);
      }
    }
  });
});

/** Names of source files in code within the text, as readers would look for them. */
function namedFiles(page: Page): string[] {
  const code = [...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
  const bare = [...prose(page).matchAll(/(?<![\w`/.-])(?:lib|spec|scripts|bench|packaging)\/[\w./-]*\w/g)].map(
    ([name]) => name,
  );
  return [...code, ...bare].filter(
    (name) => /^[\w-]+(\/[\w.-]+)*\.[tj]s$/.test(name) || /^(lib|spec)\/[\w/.-]+$/.test(name),
  );
}

describe('source files that pages name', () => {
  const roots = ['lib', 'spec', 'scripts', 'bench', 'bin', 'examples', 'packaging'];
  const below = roots.flatMap((root) => readdirSync(root, { recursive: true }).map((name) => join(root, String(name))));
  const there = ['layers.js', 'eslint.config.js', ...below];

  for (const page of pages) {
    it(`${page.path}: they exist`, () => {
      // docs/reliability.md and docs/performance.md tell a history, with the names of its time.
      const missing = namedFiles(page).filter(
        (name) => !there.some((path) => `/${path}`.endsWith(`/${name.replace(/\/$/, '')}`)),
      );
      assert.deepEqual(missing, []);
    });
  }
});

describe('docs/architecture.md', () => {
  it('has a row for each layer', () => {
    const text = readFileSync('docs/architecture.md', 'utf8');
    const listed = [...text.matchAll(/^\| `lib\/([\w/-]+)\/` \|/gm)].map(([, layer = '']) => layer);
    const layers = readFileSync('layers.js', 'utf8').matchAll(/^ {2}(?:'([\w/-]+)'|(\w+)): \[/gm);
    const expected = [...layers].map(([, quoted, bare]) => quoted ?? bare ?? '');
    assert.ok(expected.length > 20);
    assert.deepEqual(
      expected.filter((layer) => !listed.includes(layer)),
      [],
    );
  });
});

/** All sources of the service in one text. */
function sources(): string {
  const files = readdirSync('lib', { recursive: true }).map(String);
  const code = files.filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join('lib', name), 'utf8'));
  return code.join('\n');
}

describe('docs/troubleshooting.md', () => {
  it('quotes what the service says', () => {
    const page = pages.find(({ path }) => path === 'docs/troubleshooting.md');
    assert.ok(page);
    const code = sources();
    const quoted = [...prose(page).matchAll(/`([^`\n]+)`/g)]
      .map(([, text = '']) => text)
      // Log lines: words with blanks between that are no directive, command or request.
      .filter(
        (text) =>
          / /.test(text) && !/^(kmp|-|npm|npx|ss |getent|systemctl|Authorization|server_name|rtmp|FILE)/.test(text),
      );
    assert.ok(quoted.length >= 8);
    for (const line of quoted) {
      for (const part of line.split(/\.\.\.|[A-Z]{3,}/)) {
        assert.ok(code.includes(part.trim().replace(/:$/, '')), `no source says "${part.trim()}"`);
      }
    }
  });
});

describe('example configurations', () => {
  for (const path of ['packaging/kmp-rtmp.conf', 'packaging/container.conf']) {
    it(`${path} loads without a warning`, () => {
      assert.deepEqual(loadConfig(path).warnings, []);
    });
  }

  it('of what is commented out in packaging/kmp-rtmp.conf, too', () => {
    const text = readFileSync('packaging/kmp-rtmp.conf', 'utf8').replaceAll(/#(kmp_rtmp_)/g, '$1');
    assert.deepEqual(parseConfig(text).warnings, []);
  });
});
