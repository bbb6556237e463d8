import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GlobalStatus } from '../../lib/upstream/report/status.js';
import { startChild } from '../support/process/child.js';
import { goldenFile, loadScenario, playScenario } from '../support/rtmp/golden.js';
import { assertSameBytes } from '../support/values/same-bytes.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { until } from '../support/time/until.js';

const program = fileURLToPath(new URL('../../bin/kmp-rtmp.js', import.meta.url));
const preload = new URL('../support/node/without-internal.js', import.meta.url).href;
const scenario = loadScenario('av');

/** Time for all tracks to come, on a busy machine; and no time for answers, since the server gives none. */
const PATIENT = 'kmp_rtmp_out_min_process_delay 2s; kmp_rtmp_out_max_process_delay 4s; kmp_rtmp_out_answer_timeout 0;';

interface Setup {
  /** Taken away from Node. */
  readonly without?: string;
  readonly main?: string;
  readonly env?: Record<string, string>;
}

/**
 * Plays a recording through a service, and compares what comes out; returns the log up to the line that `last` finds.
 */
async function play(last: RegExp, { without, main = '', env = {} }: Setup): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kmp-internals-'));
  const ingest = await ScriptableIngest.start();
  const file = join(folder, 'kmp-rtmp.conf');
  writeFileSync(
    file,
    `${main}
     stream { server { listen 127.0.0.1:0; kmp_rtmp; ${PATIENT} } }
     http { server { listen 127.0.0.1:0; location / { kmp_rtmp_api; } } }`,
  );
  const preloads = without === undefined ? [] : ['--import', preload];
  const child = startChild([...preloads, program, '-c', file], {
    // Whatever the specs themselves are run with.
    env: { KMP_RTMP_NODE_INTERNALS: '', ...(without === undefined ? {} : { WITHOUT: without }), ...env },
  });
  let log = '';
  child.process.stderr?.on('data', (bytes: Buffer) => (log += bytes.toString()));
  try {
    await child.says('takes KMP on 127.0.0.1:');
    const port = Number(await child.rest());
    await child.says('answers HTTP on ');
    const api = await child.rest();
    const status = async (): Promise<GlobalStatus> => (await (await fetch(api)).json()) as GlobalStatus;
    // One connection after the other, in a known order.
    const senders = await playScenario(scenario, port, ingest.port, (count) =>
      until(
        `${count} tracks`,
        status,
        ({ upstreams }) => Object.keys(upstreams['u1']?.streams['stream']?.tracks ?? {}).length === count,
      ),
    );
    const connection = await ingest.next();
    await connection.closed;
    for (const sender of senders) sender.destroy();
    assertSameBytes(connection.raw(), goldenFile(scenario.name, 'expected.1.rtmp'));
    await until(
      String(last),
      () => Promise.resolve(log),
      (text) => last.test(text),
    );
    return log;
  } finally {
    child.kill('SIGKILL');
    await child.exit;
    await ingest.close();
    rmSync(folder, { recursive: true });
  }
}

describe('Node without one of its internals', { timeout: 90_000, concurrency: 2 }, () => {
  const cases: readonly (readonly [without: string, inUse: RegExp, missing: readonly RegExp[]])[] = [
    [
      'fd',
      /in use: shared reads, handover, direct writes, buffer copies, write progress\n/,
      [/turn reads not in use: .*shows no descriptor/, /direct acks not in use: the descriptor takes no bytes/],
    ],
    [
      'readStop',
      /in use: shared reads, direct writes, direct acks, buffer copies, write progress\n/,
      [/turn reads not in use: Node goes on reading after readStop/, /handover not in use: Node goes on reading/],
    ],
    [
      'useUserBuffer',
      /in use: turn reads, handover, direct writes, direct acks, buffer copies, write progress\n/,
      [/shared reads not in use: the handle of a socket has no useUserBuffer/],
    ],
    [
      '_writev',
      /in use: turn reads, shared reads, handover, direct acks, buffer copies, write progress\n/,
      [/direct writes not in use: sockets have no _writev/],
    ],
    [
      'writeQueueSize',
      /in use: turn reads, shared reads, handover, direct writes, direct acks, buffer copies\n/,
      [/write progress not in use: .* does not show its writeQueueSize/],
    ],
    [
      'copyArrayBuffer',
      /in use: turn reads, shared reads, handover, direct writes, direct acks, write progress\n/,
      [/buffer copies not in use: there is no copyArrayBuffer/],
    ],
    [
      'flags',
      /in use: turn reads, shared reads, handover, direct writes, direct acks, buffer copies, write progress\n/,
      [/heap flags not in use: .*no process can be started/],
    ],
  ];
  for (const [without, inUse, missing] of cases) {
    it(`publishes the same bytes without ${without}, and says so once`, async () => {
      const log = await play(missing.at(-1) ?? inUse, { without });
      assert.match(log, inUse);
      for (const one of missing) assert.equal(log.match(new RegExp(one, 'g'))?.length, 1, `${one.source} in ${log}`);
      assert.equal(log.match(/\[warn\]/g)?.length, missing.length, log);
    });
  }

  it('does all the work in one process if sockets cannot move between processes', async () => {
    const log = await play(/handover not in use/, { without: 'readStop', main: 'worker_processes 3;' });
    assert.match(log, /\[warn\].* one worker is started, not 3: sockets cannot move/);
  });
});

describe('with the internals of Node turned off', { timeout: 90_000, concurrency: 2 }, () => {
  for (const [how, setup] of [
    ['by the directive', { main: 'kmp_rtmp_node_internals off;' }],
    ['by the variable', { env: { KMP_RTMP_NODE_INTERNALS: 'off' } }],
    ['by the directive, with workers', { main: 'kmp_rtmp_node_internals off; worker_processes 2;' }],
  ] as const) {
    it(`publishes the same bytes, ${how}`, async () => {
      const log = await play(/Node internals/, setup);
      assert.match(log, /Node internals: none in use/);
      assert.equal(log.includes('one worker is started, not 2'), how.includes('workers'));
    });
  }
});
