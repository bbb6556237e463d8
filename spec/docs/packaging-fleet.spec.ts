// The files of packaging/ for a fleet, as far as they can be looked at without a cluster and without Docker.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import type { Config } from '../../lib/config/config.js';
import { parseConfig } from '../../lib/config/load.js';
import { fileSystem } from '../../lib/config/nginx/source.js';

const read = (path: string): string => readFileSync(path, 'utf8');

type Labels = Readonly<Record<string, string>>;
interface Named {
  readonly name: string;
}
interface Port extends Named {
  readonly port: number;
  readonly targetPort: string;
}
interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly tcpSocket?: { readonly port: string };
}
interface Container extends Named {
  readonly args: readonly string[];
  readonly env?: readonly (Named & { readonly value?: string; readonly valueFrom?: unknown })[];
  readonly ports: readonly (Named & { readonly containerPort: number })[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly securityContext: object;
  readonly volumeMounts: readonly (Named & { readonly mountPath: string })[];
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsNonRoot: boolean };
  readonly containers: readonly Container[];
  readonly volumes: readonly (Named & {
    readonly configMap?: Named;
    readonly secret?: { readonly secretName: string };
  })[];
}
interface Peer {
  readonly podSelector: { readonly matchLabels: Labels };
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Named & { readonly labels: Labels };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly maxUnavailable?: number;
    readonly selector: Labels & { readonly matchLabels?: Labels };
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly ingress?: readonly {
      readonly from: readonly Peer[];
      readonly ports: readonly { readonly port: string }[];
    }[];
    readonly ports?: readonly Port[];
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
}

/** The configuration of a node, with secrets as a cluster mounts them. */
function nodeConfig(text: string, secrets: Readonly<Record<string, string>>, node: string): Config {
  const source = {
    ...fileSystem,
    read: (path: string) => secrets[path] ?? assert.fail(`${path} is not mounted`),
  };
  const config = parseConfig(text, '/etc/kmp-rtmp/kmp-rtmp.conf', { source, env: { KMP_RTMP_FLEET_NODE: node } });
  assert.deepEqual(config.warnings, []);
  return config;
}

describe('packaging/kubernetes-fleet.yaml', () => {
  const text = read('packaging/kubernetes-fleet.yaml');
  const all = parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
  const of = (kind: string, name: string): Manifest =>
    all.find((one) => one.kind === kind && one.metadata.name === name) ?? assert.fail(`${kind} ${name}`);
  const podOf = (manifest: Manifest): PodSpec => manifest.spec.template?.spec ?? assert.fail(manifest.metadata.name);
  const workloads = all.filter(({ spec }) => spec?.template !== undefined);
  const nodes = of('StatefulSet', 'kmp-rtmp');
  const [container = assert.fail()] = podOf(nodes).containers;
  const secretKeys = [...text.matchAll(/--from-literal=([\w-]+)=/g)].map(([, key = '']) => key);
  const mount = '/run/secrets/kmp-rtmp';
  const config = (): Config => {
    const secrets = Object.fromEntries(secretKeys.map((key) => [`${mount}/${key}`, '0123456789abcdef01234567\n']));
    const template = container.env?.find(({ name }) => name === 'KMP_RTMP_FLEET_NODE')?.value ?? '';
    const node = template.replaceAll('$(POD_NAME)', 'kmp-rtmp-0').replaceAll('$(POD_IP)', '192.0.2.7');
    return nodeConfig(of('ConfigMap', 'kmp-rtmp').data?.['kmp-rtmp.conf'] ?? '', secrets, node);
  };

  it('has the versions of the API that clusters have, and no name twice', () => {
    const versions: Readonly<Record<string, string>> = {
      ...{ ConfigMap: 'v1', Service: 'v1', StatefulSet: 'apps/v1', Deployment: 'apps/v1' },
      ...{ PodDisruptionBudget: 'policy/v1', NetworkPolicy: 'networking.k8s.io/v1' },
    };
    for (const { kind, apiVersion } of all) assert.equal(apiVersion, versions[kind], kind);
    const names = all.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual([nodes.spec.replicas, of('PodDisruptionBudget', 'kmp-rtmp').spec.maxUnavailable], [3, 1]);
  });

  it('selects existing pods, and names only ports that these have', () => {
    for (const { kind, metadata, spec } of all.filter((one) => one.kind !== 'ConfigMap')) {
      const selector = spec.podSelector?.matchLabels ?? spec.selector.matchLabels ?? (spec.selector as Labels);
      const selected = workloads.filter(({ spec: { template } }) =>
        Object.entries(selector).every(([key, value]) => template?.metadata.labels[key] === value),
      );
      assert.equal(selected.length, 1, `${kind} ${metadata.name}`);
      const ports = selected.flatMap((one) => podOf(one).containers.flatMap((each) => each.ports));
      const wanted = [
        ...(spec.ports ?? []).map(({ targetPort }) => targetPort),
        ...(spec.ingress ?? []).flatMap((rule) => rule.ports.map(({ port }) => port)),
      ];
      for (const port of wanted)
        assert.ok(
          ports.some(({ name }) => name === port),
          `${metadata.name}: ${port}`,
        );
    }
  });

  it('probes ports that the containers have, mounts existing volumes, and runs without privileges', () => {
    for (const workload of workloads) {
      const pod = podOf(workload);
      assert.equal(pod.securityContext.runAsNonRoot, true);
      for (const { ports, livenessProbe, readinessProbe, volumeMounts, securityContext } of pod.containers) {
        for (const { httpGet, tcpSocket } of [livenessProbe, readinessProbe]) {
          assert.ok(ports.some(({ name }) => name === (httpGet ?? tcpSocket)?.port));
        }
        for (const { name } of volumeMounts)
          assert.ok(
            pod.volumes.some((volume) => volume.name === name),
            name,
          );
        assert.deepEqual(securityContext, {
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        });
      }
      for (const { configMap, secret } of pod.volumes) {
        if (configMap !== undefined) of('ConfigMap', configMap.name);
        if (secret !== undefined) assert.ok(text.includes(`kubectl create secret generic ${secret.secretName} `));
      }
    }
    assert.deepEqual(container.livenessProbe.httpGet, { path: '/healthz', port: 'http' });
    assert.deepEqual(container.readinessProbe.httpGet, { path: '/readyz', port: 'http' });
  });

  it('has a configuration that loads, listens on the ports of the container and finds its engine', () => {
    const { kmpServers, httpServers, fleet } = config();
    const listens = { kmp: kmpServers[0]?.listen[0]?.port, http: httpServers[0]?.listen[0]?.port };
    for (const [name, port] of Object.entries(listens)) {
      assert.equal(container.ports.find((one) => one.name === name)?.containerPort, port);
    }
    assert.equal(httpServers[0]?.locations.find((location) => location.health)?.path, '/');
    const [engine = assert.fail()] = fleet?.engine.addresses ?? [];
    assert.ok(of('Service', engine.host).spec.ports?.some(({ port }) => port === engine.port));
    assert.deepEqual(fleet?.engine.password, '0123456789abcdef01234567');
  });

  it('gives each node the address of its pod, and a name of the headless service', () => {
    const { node } = config().fleet ?? assert.fail();
    const service = of('Service', nodes.spec.serviceName ?? '');
    assert.deepEqual([service.spec.clusterIP, service.spec.publishNotReadyAddresses], ['None', true]);
    assert.deepEqual(node, {
      ...{ name: 'kmp-rtmp-0', kmp: { host: '192.0.2.7', port: 8005 } },
      http: { host: `kmp-rtmp-0.${service.metadata.name}`, port: 8001 },
    });
    assert.ok(config().httpServers[0]?.names.includes(`*.${service.metadata.name}`));
    // A variable can only name those before it.
    assert.deepEqual(container.env?.map(({ name }) => name).indexOf('KMP_RTMP_FLEET_NODE'), 2);
  });

  it('drains a node before its end, and waits longer than that takes', () => {
    const { workerShutdownTimeout, fleet, pid, httpServers } = config();
    const script = container.lifecycle?.preStop.exec.command.at(-1) ?? '';
    assert.match(script, new RegExp(`^kmp-rtmp -s drain ${container.args.join(' ')}$`, 'm'));
    const [, api = ''] = /fetch\("http:\/\/127\.0\.0\.1:8001(\/\w+\/)fleet\/drain"\)/.exec(script) ?? [];
    assert.ok(
      httpServers[0]?.locations.some((location) => location.path === api),
      api,
    );
    const seconds = Number(/\$\(seq (\d+)\)/.exec(script)?.[1]);
    assert.ok(seconds > 1000 / (fleet?.drainRate ?? 0), 'time for 1000 upstreams');
    assert.ok(podOf(nodes).terminationGracePeriodSeconds > seconds + workerShutdownTimeout / 1000);
    assert.ok(
      container.volumeMounts.some(({ mountPath }) => pid?.startsWith(`${mountPath}/`)),
      'the pid file',
    );
  });

  it('lets the nodes reach each other and the engine', () => {
    const peers = (name: string): Labels[] =>
      (of('NetworkPolicy', name).spec.ingress ?? []).flatMap(({ from }) =>
        from.map(({ podSelector }) => podSelector.matchLabels),
      );
    const labels = nodes.spec.template?.metadata.labels ?? {};
    for (const name of ['kmp-rtmp', 'kmp-rtmp-engine']) {
      assert.ok(peers(name).some((wanted) => Object.entries(wanted).every(([key, value]) => labels[key] === value)));
    }
  });
});

describe('packaging/compose-fleet.yaml', () => {
  interface Service {
    readonly environment?: Readonly<Record<string, string>>;
    readonly secrets?: readonly string[];
    readonly stop_grace_period?: string;
    readonly depends_on?: readonly string[] | object;
    readonly command?: readonly string[];
  }
  const compose = parse(read('packaging/compose-fleet.yaml'), { merge: true }) as {
    readonly configs: { readonly node: { readonly content: string } };
    readonly secrets: Readonly<Record<string, { readonly file: string }>>;
    readonly services: Readonly<Record<string, Service>>;
  };
  const { services } = compose;
  const nodes = Object.entries(services).filter(([, { environment }]) => environment !== undefined);
  const secrets = Object.fromEntries(
    Object.keys(compose.secrets).map((name) => [`/run/secrets/${name}`, '0123456789abcdef01234567\n']),
  );
  // Compose replaces $$ by $.
  const text = compose.configs.node.content.replaceAll('$$', () => '$');

  it('has three nodes with a configuration that loads, whose addresses are their names', () => {
    assert.deepEqual(
      nodes.map(([name]) => name),
      ['n1', 'n2', 'n3'],
    );
    for (const [name, { environment, stop_grace_period: grace = '' }] of nodes) {
      const config = nodeConfig(text, secrets, environment?.['KMP_RTMP_FLEET_NODE'] ?? '');
      const { node, engine } = config.fleet ?? assert.fail();
      assert.deepEqual(node, { name, kmp: { host: name, port: 8005 }, http: { host: name, port: 8001 } });
      assert.deepEqual([config.kmpServers[0]?.listen[0]?.port, config.httpServers[0]?.listen[0]?.port], [8005, 8001]);
      assert.ok(config.httpServers[0]?.names.includes(name));
      assert.ok(engine.addresses.every(({ host }) => host in services));
      assert.ok(parseInt(grace, 10) * 1000 > config.workerShutdownTimeout);
    }
  });

  it('names only existing services and secrets', () => {
    for (const service of Object.values(services)) {
      for (const name of service.secrets ?? []) assert.ok(name in compose.secrets, name);
      const others = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
      for (const name of others as string[]) assert.ok(name in services, name);
    }
    const [, host = ''] =
      /--control=http:\/\/(\w+):8001\/control/.exec(services['send']?.command?.join(' ') ?? '') ?? [];
    assert.ok(host in services);
  });
});
