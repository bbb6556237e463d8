import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import express from 'express';
import { kmpRtmp } from '../support/process/cli.js';
import { serve } from '../support/network/http.js';

const upstream = (node?: string): object => ({ state: 'publishing', streams: {}, ...(node && { node }) });

describe('kmp-rtmp top and a fleet', { timeout: 60_000 }, () => {
  /** What it prints once about a service that answers this. */
  async function printed(status: object, closed: readonly object[] = []): Promise<string> {
    const app = express();
    app.get('/api/closed', (_req, res) => void res.json(closed));
    app.get('/api/', (_req, res) => void res.json({ version: '0.1.0', pid: 42, uptime: 1, ...status }));
    const server = await serve(app);
    const api = `http://127.0.0.1:${server.port}/api/`;
    const { stdout, stderr } = await kmpRtmp(['top', '--once', '-i', '100ms', '--api', api]);
    await server.close();
    return stdout + stderr;
  }

  it('a column has the node of each upstream, also of one that has failed', async () => {
    const failed = { upstream_id: 'c', failed: true, live_again_at: null, reason: 'send_failed', node: 'n3' };
    const text = await printed({ upstreams: { a: upstream('n1'), b: upstream('n2') } }, [failed]);
    assert.match(text, /^UPSTREAM +NODE +STATE/m);
    assert.match(text, /^a +n1 +publishing/m);
    assert.match(text, /^b +n2 +publishing/m);
    assert.match(text, /^c +n3 +failed/m);
    assert.doesNotMatch(text, /missing/);
  });

  it('names the nodes and workers that are missing, and why', async () => {
    const text = await printed({
      upstreams: { a: upstream('n1') },
      nodes: { n1: { missing: null }, n2: { missing: 'it has not answered\u0007 in 1000 ms' } },
      missing_workers: [1],
      missing_workers_of: { n1: [3] },
    });
    assert.match(
      text,
      /missing, and so are their upstreams: node n2: it has not answered.* in 1000 ms; worker 1; worker 3 of node n1/,
    );
    assert.ok(!text.includes('\u0007'));
  });

  it('there is no such column without a fleet', async () => {
    assert.match(await printed({ upstreams: { a: upstream() } }), /^UPSTREAM +STATE/m);
  });
});
