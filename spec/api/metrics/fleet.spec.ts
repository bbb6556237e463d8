import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricsRouter } from '../../../lib/api/metrics/metrics.js';
import type { GlobalStatus } from '../../../lib/upstream/report/status.js';
import { appWith, serve } from '../../support/network/http.js';
import { MemoryManagement, sampleUpstream } from '../../support/management/memory-management.js';

const node = {
  version: '1.0.0',
  kmp: '192.0.2.1:8005',
  http: '192.0.2.1:8001',
  draining: false,
  missing: null,
  upstreams: 1,
  uptime: 5,
  missing_workers: [],
};

class AllNodes extends MemoryManagement {
  override async status(): Promise<GlobalStatus> {
    return {
      ...(await super.status()),
      upstreams: { a: { ...sampleUpstream(), node: 'n1' }, b: { ...sampleUpstream(), node: 'n2' } },
      nodes: { n1: node, n2: node, n3: { ...node, missing: 'it is away', upstreams: null } },
      missing_nodes: ['n3'],
    };
  }
}

describe('metrics of a node of a fleet', () => {
  async function lines(path: string): Promise<string[]> {
    const own = new MemoryManagement([['a', sampleUpstream()]]);
    const counts = () => ({
      engineUp: false,
      nodes: { alive: 2, draining: 1, dead: 0 },
      placements: 9,
      fallbacks: 2,
      takeovers: 3,
      fenced: 1,
      peers: new Map([
        ['n2', true],
        ['n3', false],
        ['n4', undefined],
      ]),
    });
    const router = metricsRouter(own, { upstreams: true, fleet: { counts, management: new AllNodes([]) } });
    const server = await serve(appWith('/metrics', router));
    const { text } = await server.get(path);
    await server.close();
    return text.split('\n').filter((line) => line.startsWith('kmp_rtmp_'));
  }

  it('engine, nodes, takeovers and peers', async () => {
    const found = (await lines('/metrics')).filter((line) => line.startsWith('kmp_rtmp_fleet_'));
    assert.deepEqual(found, [
      'kmp_rtmp_fleet_engine_up 0',
      'kmp_rtmp_fleet_nodes{state="alive"} 2',
      'kmp_rtmp_fleet_nodes{state="draining"} 1',
      'kmp_rtmp_fleet_nodes{state="dead"} 0',
      'kmp_rtmp_fleet_placements_total 9',
      'kmp_rtmp_fleet_fallbacks_total 2',
      'kmp_rtmp_fleet_takeovers_total 3',
      'kmp_rtmp_fleet_fenced_total 1',
      'kmp_rtmp_fleet_peer_up{node="n2"} 1',
      'kmp_rtmp_fleet_peer_up{node="n3"} 0',
    ]);
  });

  it('a node has the series of its own upstreams, without its name', async () => {
    const found = (await lines('/metrics')).filter((line) => line.startsWith('kmp_rtmp_upstream_state'));
    assert.deepEqual(found, ['kmp_rtmp_upstream_state{upstream="a",state="publishing"} 1']);
  });

  it('with fleet=1, it has those of all nodes, with their names, and says which nodes are missing', async () => {
    const found = await lines('/metrics?fleet=1');
    assert.deepEqual(
      found.filter((line) => /^kmp_rtmp_(upstream_state|fleet)/.test(line)),
      [
        'kmp_rtmp_fleet_missing_nodes 1',
        'kmp_rtmp_fleet_node_up{node="n1"} 1',
        'kmp_rtmp_fleet_node_up{node="n2"} 1',
        'kmp_rtmp_fleet_node_up{node="n3"} 0',
        'kmp_rtmp_fleet_node_upstreams{node="n1"} 1',
        'kmp_rtmp_fleet_node_upstreams{node="n2"} 1',
        'kmp_rtmp_upstream_state{upstream="a",node="n1",state="publishing"} 1',
        'kmp_rtmp_upstream_state{upstream="b",node="n2",state="publishing"} 1',
      ],
    );
    // What nodes count for themselves would be counted twice.
    assert.ok(!found.some((line) => /build_info|process_|kmp_rtmp_sent_bytes_total/.test(line)));
  });
});
