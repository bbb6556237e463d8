// .github/workflows/release.yml, as far as it can be looked at without running it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';

interface Step {
  readonly name?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Job {
  readonly uses?: string;
  readonly needs?: string;
  readonly container?: string;
  readonly steps?: readonly Step[];
}

describe('.github/workflows/release.yml', () => {
  const text = readFileSync('.github/workflows/release.yml', 'utf8');
  const { on, jobs } = parse(text) as {
    readonly on: { readonly push: { readonly tags: readonly string[] } };
    readonly jobs: Readonly<Record<string, Job>>;
  };
  const steps = (job: string): readonly Step[] => jobs[job]?.steps ?? [];

  it('runs for a tag, and publishes nothing before the whole check has passed', () => {
    assert.deepEqual(on, { push: { tags: ['v*'] } });
    assert.equal(jobs['check']?.uses, './.github/workflows/ci.yml');
    const ci = parse(readFileSync('.github/workflows/ci.yml', 'utf8')) as { on: Record<string, unknown> };
    assert.ok('workflow_call' in ci.on);
    for (const [name, job] of Object.entries(jobs)) {
      if (name !== 'check') assert.ok(['check', 'packages'].includes(job.needs ?? ''), name);
    }
  });

  it('runs scripts of package.json, with the Node of the image', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const used = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
    assert.deepEqual(used, ['package:executable', 'package:deb']);
    for (const name of used) assert.ok(name in scripts, name);
    const [, node = ''] =
      /^FROM (node:\d+-bookworm)-slim/.exec(readFileSync('Dockerfile', 'utf8').split('\n\n')[1] ?? '') ?? [];
    assert.equal(jobs['packages']?.container, node);
  });

  it('publishes to places that variables name, for two processors', () => {
    const with_ = (action: string): Readonly<Record<string, string>> =>
      steps('image').find(({ uses }) => uses?.startsWith(`${action}@`) === true)?.with ?? {};
    assert.equal(with_('docker/login-action')['registry'], '${{ vars.IMAGE_REGISTRY }}');
    assert.equal(with_('docker/build-push-action')['platforms'], 'linux/amd64,linux/arm64');
    // A host would be the choice of one user.
    assert.doesNotMatch(text, /\b[\w-]+\.(io|com|org|net)\b/);
  });

  it('gives the release the section of the changelog', () => {
    const [, program = ''] = /awk -v version="\$version" '([^']+)'/.exec(text) ?? [];
    assert.match(program, /\$2 == version/);
  });
});
