import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '../support/process/child.js';
import { freePort } from '../support/network/free-port.js';
import { allMedia, goldenFile, loadScenario, playScenario, type Scenario } from '../support/rtmp/golden.js';
import { assertSameBytes } from '../support/values/same-bytes.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

const program = fileURLToPath(new URL('../../bin/kmp-rtmp.js', import.meta.url));
const root = new URL('../../../spec/golden/data/', import.meta.url);

interface Status {
  readonly upstreams: Readonly<Record<string, { streams: Record<string, { tracks: Record<string, unknown> }> }>>;
}

/** Time for all tracks to come, on a busy machine; and no time for answers, since the server gives none. */
const PATIENT = 'kmp_rtmp_out_min_process_delay 2s; kmp_rtmp_out_max_process_delay 4s; kmp_rtmp_out_answer_timeout 0;';

/** A server of its own for each scenario, with its directives. */
function serverOf({ directives }: Scenario, port: number | undefined): string {
  const lines = Object.entries(directives).map(([name, value]) => `${name} ${value};`);
  return `server { listen 127.0.0.1:${port}; kmp_rtmp; ${PATIENT} ${lines.join(' ')} }`;
}

describe('recordings of a real server, with two workers', { timeout: 110_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-cluster-'));
  const scenarios = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => loadScenario(entry.name));
  const ports: number[] = [];
  let child: Child;
  let api = '';

  /** Connections are made one after the other, so that the workers accept them in turns, and in a known order. */
  const tracks = (count: number): Promise<unknown> =>
    until(
      `${count} tracks`,
      async () => (await (await fetch(api)).json()) as Status,
      ({ upstreams }) => {
        const streams = Object.values(upstreams['u1']?.streams ?? {});
        return streams.reduce((sum, stream) => sum + Object.keys(stream.tracks).length, 0) === count;
      },
    );

  before(async () => {
    for (const _ of scenarios) ports.push(await freePort());
    const file = join(folder, 'kmp-rtmp.conf');
    writeFileSync(
      file,
      `worker_processes 2;
       stream { ${scenarios.map((scenario, i) => serverOf(scenario, ports[i])).join('\n')} }
       http { server { listen 127.0.0.1:0; location / { kmp_rtmp_api; } } }`,
    );
    child = startChild([program, '-c', file]);
    await child.says('answers HTTP on ');
    api = await child.rest();
  });

  after(async () => {
    child.kill('SIGKILL');
    await child.exit;
    rmSync(folder, { recursive: true, force: true });
  });

  it('are seven', () => assert.equal(scenarios.length, 7));

  scenarios.forEach((scenario, i) => {
    it(`${scenario.name} comes out byte for byte, on one connection`, async (t) => {
      const [about] = Object.values(scenario.connections);
      const headerLength = scenario.header ? Buffer.byteLength(about?.data['header'] ?? '') : 0;
      const ingest = await ScriptableIngest.start({ headerLength });
      t.after(() => ingest.close());
      const senders = await playScenario(scenario, ports[i] ?? 0, ingest.port, tracks, () =>
        allMedia(scenario, ingest),
      );
      const connection = await ingest.next();
      await connection.closed;
      for (const sender of senders) sender.destroy();
      assert.equal(ingest.connections.length, 1);
      assertSameBytes(connection.raw(), goldenFile(scenario.name, 'expected.1.rtmp'));
      // The next one has the same id.
      await tracks(0);
    });
  });
});
