// What is in packaging/, as far as it can be looked at without Docker, systemd or a cluster.
import assert from 'node:assert/strict';
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
});
