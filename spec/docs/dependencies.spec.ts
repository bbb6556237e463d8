import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

describe('docs/dependencies.md', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Package;
  const text = readFileSync('docs/dependencies.md', 'utf8');
  const rows = [...text.matchAll(/^\| `([^`]+)` \|(.+)\|(.+)\|(.+)\|$/gm)];

  it('has a row for each package that is installed, and for no other', () => {
    assert.deepEqual(rows.map(([, name]) => name).sort(), Object.keys(dependencies).sort());
    for (const [, name, ...cells] of rows)
      assert.ok(
        cells.every((cell) => cell.trim().length > 10),
        name,
      );
  });

  it('names each package for development', () => {
    const missing = Object.keys(devDependencies).filter((name) => !text.includes(`\`${name}\``));
    assert.deepEqual(
      missing.filter((name) => !name.startsWith('@types/')),
      [],
    );
  });

  it('none runs a script when it is installed', () => {
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean; dev?: boolean }>;
    };
    const scripts = Object.entries(lock.packages).filter(([, { hasInstallScript, dev }]) => hasInstallScript && !dev);
    assert.deepEqual(scripts, []);
  });
});
