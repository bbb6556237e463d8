// The complete programs of docs/pipeline.md, run as they stand there.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import * as door from '../../lib/index.js';
import type { Child } from '../support/process/child.js';
import { freePort } from '../support/network/free-port.js';
import { loadScenario, playScenario } from '../support/rtmp/golden.js';
import { send } from '../support/network/http.js';
import type { ParsedMessage } from '../support/rtmp/rtmp-parse.js';
import { assertSameBytes } from '../support/values/same-bytes.js';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { blocks, pages } from './pages.js';
import { dumps, example, readme } from './programs.js';

const AUDIO = 8;
const VIDEO = 9;

let closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

/** Runs an example that publishes to an ingest, and gives the messages that arrived there. */
async function published(name: string, ...args: string[]): Promise<readonly ParsedMessage[]> {
  const ingest = await ScriptableIngest.start({ answers: true });
  closing.push(() => ingest.close());
  const child = example(name, `rtmp://127.0.0.1:${ingest.port}/app/stream`, ...args);
  const connection = await ingest.next();
  assert.equal(await child.exit, 0);
  await connection.closed;
  return connection.messages;
}

const media = (messages: readonly ParsedMessage[], type: number): readonly ParsedMessage[] =>
  messages.filter((message) => message.type === type);
const bytes = (messages: readonly ParsedMessage[]): Buffer => Buffer.concat(messages.map(({ payload }) => payload));

describe('examples', () => {
  it('publish-dumps: every frame of the dumps arrives, and audio can be shifted against video by shift-audio', async () => {
    const plain = await published('publish-dumps', ...dumps);
    assert.deepEqual([media(plain, VIDEO).length, media(plain, AUDIO).length], [61, 89]);

    const shifted = await published('shift-audio', ...dumps, '200');
    assertSameBytes(bytes(media(shifted, VIDEO)), bytes(media(plain, VIDEO)));
    assertSameBytes(bytes(media(shifted, AUDIO)), bytes(media(plain, AUDIO)));
    // The first of each is the sequence header, which has no time of its own.
    const times = (messages: readonly ParsedMessage[], type: number): number[] =>
      media(messages, type)
        .slice(1)
        .map(({ timestamp }) => timestamp);
    assert.deepEqual(times(shifted, VIDEO), times(plain, VIDEO));
    assert.deepEqual(
      times(shifted, AUDIO),
      times(plain, AUDIO).map((ms) => ms + 200),
    );
  });

  it('the one of the README: it publishes, and says how it ended', async () => {
    const ingest = await ScriptableIngest.start({ answers: true });
    closing.push(() => ingest.close());
    const child = readme(ingest, dumps);
    await child.says('done');
    assert.equal(await child.exit, 0);
    const { messages, closed } = await ingest.next();
    await closed;
    assert.deepEqual([media(messages, VIDEO).length, media(messages, AUDIO).length], [61, 89]);
  });

  it('the one of the README, when nothing listens: the reason, not a stack', async () => {
    const child = readme({ port: await freePort() }, dumps);
    // The files are read to their end before or after that.
    await child.says('handshake_failed could not connect');
    assert.match(await child.rest(), /^: 127\.0\.0\.1 port \d+: connect ECONNREFUSED/);
    assert.equal(await child.exit, 1);
  });

  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-examples-'));
  after(() => rmSync(folder, { recursive: true }));

  it('publish-file and file-to-kmp: a media file in real time, and as dumps that can be published', async () => {
    const file = 'spec/fixtures/media/h264-aac.mp4';
    const base = join(folder, 'tracks');
    const child = example('file-to-kmp', file, base);
    await child.says(`wrote ${base}-1-video.kmp and ${base}-2-audio.kmp`);
    assert.equal(await child.exit, 0);
    const fromDumps = await published('publish-dumps', `${base}-1-video.kmp`, `${base}-2-audio.kmp`);

    const ingest = await ScriptableIngest.start({ answers: true });
    closing.push(() => ingest.close());
    const player = example('publish-file', file, `rtmp://127.0.0.1:${ingest.port}/app/stream`);
    assert.equal(await player.exit, 0);
    const { messages, closed } = await ingest.next();
    await closed;
    for (const type of [VIDEO, AUDIO]) assertSameBytes(bytes(media(messages, type)), bytes(media(fromDumps, type)));
  });

  it('express-app: the routes of the app and of the service, and an end in order', async () => {
    const child = example('express-app', '0', '0');
    closing.push(() => child.kill('SIGKILL'));
    const [, kmp = '', base = ''] = await said(child, /KMP on port (\d+), (http:\S+)\/live\/status\//);
    const get = async (path: string): Promise<Response> => fetch(base + path);
    assert.equal(await (await get('/hello')).text(), 'an app that was there before\n');
    assert.match(await (await get('/live/status/')).text(), /<title>/);
    assert.match(await (await get('/live/metrics')).text(), /^# HELP kmp_rtmp_/m);
    assert.equal((await get('/live/readyz')).status, 200);
    const { port } = new URL(base);
    for (const path of ['/live/api/', '/live/metrics']) {
      assert.equal((await send(Number(port), 'GET', path, { host: 'evil.test' })).status, 421, path);
    }

    const ingest = await ScriptableIngest.start({ answers: true });
    closing.push(() => ingest.close());
    const scenario = loadScenario('av');
    // Without its last two steps, which end the tracks.
    const steps = scenario.steps.filter(({ send }) => send?.[0] === 0);
    const senders = await playScenario({ ...scenario, steps }, Number(kmp), ingest.port);
    closing.push(() => senders.forEach((sender) => sender.destroy()));
    await (await ingest.next()).message(({ type }) => type === VIDEO);
    assert.deepEqual(await (await get('/live/api/upstreams?list=1')).json(), ['u1']);

    child.kill('SIGTERM');
    assert.equal(await child.exit, 0);
  });
});

/** What the pattern fits in what the child writes. */
async function said(child: Child, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  for await (const chunk of child.process.stderr ?? []) {
    text += String(chunk);
    const found = pattern.exec(text);
    if (found !== null) return found;
  }
  throw new Error(`the example ended without saying ${pattern}; it said: ${text}`);
}

describe('docs/pipeline.md', () => {
  it('shows the examples as they are', () => {
    const page = readFileSync('docs/pipeline.md', 'utf8');
    for (const name of ['publish-dumps', 'publish-file', 'file-to-kmp', 'shift-audio', 'express-app']) {
      const source = readFileSync(`examples/${name}.ts`, 'utf8');
      assert.ok(
        page.includes(`\`\`\`ts\n${source}\`\`\`\n`),
        `docs/pipeline.md does not show examples/${name}.ts as it is`,
      );
    }
  });
});

describe('code in pages', () => {
  it('imports names that the package has', () => {
    const imports = pages
      .flatMap(blocks)
      .flatMap(({ text }) => [...text.matchAll(/import \{([^}]*)\} from 'kmp-rtmp'/g)].map(([, names = '']) => names));
    assert.ok(imports.length >= 5);
    const names = imports.flatMap((list) => list.split(',')).map((name) => name.trim());
    for (const name of names) {
      // Types have no value; the compiler looks at those in examples/.
      if (name !== '' && !name.startsWith('type ')) assert.ok(name in door, name);
    }
  });
});
