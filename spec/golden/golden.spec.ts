import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { defaultMediaSettings, mediaDirectives, type MediaSettings } from '../../lib/config/settings.js';
import { settingOf, type Row } from '../../lib/config/row.js';
import { assertSameBytes } from '../support/values/same-bytes.js';
import { allMedia, goldenFile, loadScenario, playScenario, type Scenario } from '../support/rtmp/golden.js';
import { startKmp } from '../support/service/kmp-service.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';

const root = new URL('../../../spec/golden/data/', import.meta.url);

/** Time for all tracks to arrive on a busy machine, ms: else the order depends on the machine. */
const PATIENT = { outMinProcessDelay: 2000, outMaxProcessDelay: 4000 };

/** A scenario's directives, read by the table that configuration files are read with. */
function settingsOf(scenario: Scenario): Partial<MediaSettings> {
  const rows: Readonly<Record<string, Row>> = mediaDirectives;
  const settings = Object.entries(scenario.directives).map(([name, value]) => {
    const row = rows[name];
    if (row === undefined) throw new Error(`${scenario.name}: no directive ${name}`);
    return [settingOf(name, row), row.type.parse([value], () => {})];
  });
  return { ...defaultMediaSettings(), ...PATIENT, ...(Object.fromEntries(settings) as Partial<MediaSettings>) };
}

describe('recordings of a real server', { concurrency: true }, () => {
  const names = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

  it('are seven', () => assert.equal(names.length, 7));

  for (const name of names) {
    it(`${name} comes out byte for byte`, async () => {
      const scenario = loadScenario(name);
      // The header, which comes ahead of the handshake, is the same for all connections of the scenario.
      const [about] = Object.values(scenario.connections);
      const headerLength = scenario.header ? Buffer.byteLength(about?.data['header'] ?? '') : 0;
      const ingest = await ScriptableIngest.start({ headerLength });
      const service = await startKmp(settingsOf(scenario));
      const senders = await playScenario(scenario, service.port, ingest.port, undefined, () =>
        allMedia(scenario, ingest),
      );
      const { reason } = await service.ended();
      const connection = await ingest.next();
      await connection.closed;
      for (const sender of senders) sender.destroy();
      await Promise.all([service.close(), ingest.close()]);
      assertSameBytes(connection.raw(), goldenFile(name, 'expected.1.rtmp'));
      assert.equal(reason, 'done');
      assert.equal(ingest.connections.length, 1);
    });
  }
});
