// What is in packaging/, as far as it can be looked at without Docker, systemd or a cluster.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseAllDocuments, parse } from 'yaml';
import { loadConfig, parseConfig } from '../../lib/config/load.js';

const read = (path: string): string => readFileSync(path, 'utf8');

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly template?: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: { readonly runAsNonRoot: boolean };
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
          readonly livenessProbe: Probe;
          readonly readinessProbe: Probe;
        }[];
      };
    };
  };
}

describe('packaging/kubernetes.yaml', () => {
  const all = parseAllDocuments(read('packaging/kubernetes.yaml')).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
  const of = (kind: string): Manifest => {
    const found = all.find((one) => one.kind === kind);
    assert.ok(found, kind);
    return found;
  };
  const pod = of('Deployment').spec?.template?.spec;
  const [container] = pod?.containers ?? [];

  it('has a configuration that loads, and listens where the ports of container and service are', () => {
    const config = parseConfig(of('ConfigMap').data?.['kmp-rtmp.conf'] ?? '');
    assert.deepEqual(config.warnings, []);
    const ports = { kmp: config.kmpServers[0]?.listen[0]?.port, http: config.httpServers[0]?.listen[0]?.port };
    for (const [name, port] of Object.entries(ports)) {
      assert.equal(container?.ports.find((one) => one.name === name)?.containerPort, port);
      assert.equal(of('Service').spec?.ports?.find((one) => one.name === name)?.targetPort, name);
    }
  });

  it('waits longer for the end than the service takes, and asks for health where that is served', () => {
    const config = parseConfig(of('ConfigMap').data?.['kmp-rtmp.conf'] ?? '');
    assert.ok((pod?.terminationGracePeriodSeconds ?? 0) * 1000 > config.workerShutdownTimeout);
    const health = config.httpServers[0]?.locations.find((location) => location.health)?.path;
    assert.equal(health, '/');
    assert.deepEqual(container?.livenessProbe.httpGet, { path: '/healthz', port: 'http' });
    assert.deepEqual(container?.readinessProbe.httpGet, { path: '/readyz', port: 'http' });
    assert.equal(pod?.securityContext.runAsNonRoot, true);
  });
});

describe('Dockerfile and compose.yaml', () => {
  const dockerfile = read('Dockerfile');

  it('copy what there is, run as no root, and by the exec form', () => {
    for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const source of sources.split(' ')) assert.ok(existsSync(source), source);
    }
    assert.match(dockerfile, /^USER node$/m);
    const [, entry = ''] = /^ENTRYPOINT (.+)$/m.exec(dockerfile) ?? [];
    const [, command = ''] = /^CMD (.+)$/m.exec(dockerfile) ?? [];
    assert.deepEqual([JSON.parse(entry), JSON.parse(command)], [['kmp-rtmp'], ['-c', '/etc/kmp-rtmp/kmp-rtmp.conf']]);
  });

  it('ask for health and wait for the end as the configuration of the image has it', () => {
    const config = loadConfig('packaging/container.conf');
    const port = config.httpServers[0]?.listen[0]?.port;
    assert.ok(dockerfile.includes(`http://127.0.0.1:${port}/healthz`));
    const compose = parse(read('compose.yaml')) as { services: Record<string, { stop_grace_period?: string }> };
    assert.deepEqual(Object.keys(compose.services), ['kmp-rtmp', 'ingest', 'send']);
    const grace = parseInt(compose.services['kmp-rtmp']?.stop_grace_period ?? '', 10);
    assert.ok(grace * 1000 > config.workerShutdownTimeout);
  });
});

describe('packaging/kmp-rtmp.service', () => {
  it('waits longer for the end than the service takes', () => {
    const unit = read('packaging/kmp-rtmp.service');
    const [, seconds = ''] = /^TimeoutStopSec=(\d+)s$/m.exec(unit) ?? [];
    assert.ok(Number(seconds) * 1000 > loadConfig('packaging/kmp-rtmp.conf').workerShutdownTimeout);
    assert.match(unit, /^ExecStart=\S+\/kmp-rtmp -c \/etc\/kmp-rtmp\/kmp-rtmp\.conf$/m);
  });

  it('takes variables, if there are any, from where docs/running.md says that secrets go', () => {
    const [, file = ''] = /^EnvironmentFile=-(\S+)$/m.exec(read('packaging/kmp-rtmp.service')) ?? [];
    assert.ok(read('docs/running.md').includes(`\`${file}\``), file);
    // What is given there closes every location that the example configuration opens, health aside.
    const config = loadConfig('packaging/kmp-rtmp.conf', { env: { KMP_RTMP_API_TOKEN: 's3cret' } });
    assert.deepEqual(
      config.httpServers.flatMap(({ locations }) => locations.map(({ token }) => token)),
      ['s3cret', 's3cret', 's3cret'],
    );
  });
});

describe('.github/workflows/ci.yml', () => {
  const workflow = parse(read('.github/workflows/ci.yml')) as {
    readonly jobs: Readonly<
      Record<
        string,
        {
          readonly strategy: { readonly matrix: { readonly node: readonly number[] } };
          readonly container: { readonly image: string };
          readonly steps: readonly { readonly run?: string }[];
        }
      >
    >;
  };
  const [job] = Object.values(workflow.jobs);

  it('runs .ci/run, on the version of Node that the container has and on the oldest one that works', () => {
    assert.ok(job);
    assert.ok(job.steps.some(({ run }) => run === '.ci/run'));
    const [, inContainer] = /^FROM node:(\d+)-/m.exec(read('Dockerfile')) ?? [];
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    assert.deepEqual(job.strategy.matrix.node.map(String), [inContainer, engines.node.replace('>=', '')]);
    assert.equal(job.container.image, 'node:${{ matrix.node }}-bookworm');
  });
});

describe('package.json', () => {
  it('names repository, issues and home page of one project, as the pages do', () => {
    const { repository, bugs, homepage } = JSON.parse(read('package.json')) as {
      repository: { url: string };
      bugs: { url: string };
      homepage: string;
    };
    const [, home = ''] = /^git\+(https:\S+)\.git$/.exec(repository.url) ?? [];
    assert.deepEqual([bugs.url, homepage], [`${home}/issues`, `${home}#readme`]);
    assert.ok(read('SECURITY.md').includes(`${home}/security/advisories/new`));
  });
});

describe('the npm package', () => {
  // What files of dist/ come from: one of the package's own sources.
  const sourceOf = (path: string): string => path.replace(/^dist\//, '').replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');

  it('holds the program with types and source maps, its sources, and no stray files', () => {
    const { stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });
    // One object, in a list or by the package's name, as the versions of npm have it.
    const [packed] = Object.values(JSON.parse(stdout) as Record<string, { files: { path: string }[] }>);
    assert.ok(packed, stderr);
    const files = new Set(packed.files.map(({ path }) => path));
    for (const path of ['dist/bin/kmp-rtmp.js', 'dist/lib/index.js', 'dist/lib/index.d.ts', 'dist/lib/index.js.map']) {
      assert.ok(files.has(path), path);
    }
    for (const path of ['lib/index.ts', 'assets/sample.mp4', 'dist/lib/build-info.json', 'LICENSE', 'README.md']) {
      assert.ok(files.has(path), path);
    }
    for (const path of ['index.html', 'main.js', 'styles/page.css']) {
      assert.ok(files.has(`dist/lib/api/status/public/${path}`), path);
    }
    const mine = /^(dist\/(lib|bin)|lib|bin|assets|docs|examples|packaging)\/|^[^/]+$/;
    const stray = [...files].filter(
      (path) => !mine.test(path) || /\bspec\/|tsbuildinfo|docs\/reference|\.log$/.test(path),
    );
    assert.deepEqual(stray, []);
    // A compiled file whose source has gone is left over from an earlier build; a package is made from a fresh one.
    const maps = [...files].filter(
      (path) => path.startsWith('dist/') && path.endsWith('.js.map') && existsSync(sourceOf(path)),
    );
    assert.ok(maps.length > 100);
    for (const map of maps) assert.ok(files.has(sourceOf(map)), map);
  });
});
