// The complete programs of docs/pipeline.md and the one of the README, when they cannot do their work. They have a file
// of their own, because each program is a process, and many of them take long on a busy machine.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { dumps, example, readme } from './programs.js';

describe('examples that are refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kmp-rtmp-refused-'));
  after(() => rmSync(folder, { recursive: true }));

  /** Files that cannot be published, and what has to be said of them. */
  const bad: [what: string, make: () => string, message: string][] = [
    ['missing', () => join(folder, 'none.kmp'), 'none.kmp'],
    ['cut', () => written('cut.kmp', readFileSync(dumps[1] ?? '').subarray(0, -1)), 'kmp_truncated'],
    ['no KMP', () => written('text.kmp', Buffer.from('just some text, and no packets')), 'KMP packet "just"'],
  ];
  function written(name: string, bytes: Buffer): string {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  }

  for (const [what, make, message] of bad) {
    it(`reject a file that is ${what}`, async (t) => {
      const ingest = await ScriptableIngest.start({ answers: true });
      t.after(() => ingest.close());
      const url = `rtmp://127.0.0.1:${ingest.port}/app/stream`;
      const files = [dumps[0] ?? '', make()];
      const starts = [
        () => readme(ingest, files),
        () => example('publish-dumps', url, ...files),
        () => example('shift-audio', url, ...files, '200'),
      ];
      for (const start of starts) {
        const child = start();
        assert.equal(await child.exit, 1);
        await child.says(message);
      }
    });
  }

  it('publish-file and file-to-kmp reject a missing and a damaged file', async () => {
    const url = 'rtmp://127.0.0.1:1/app/stream';
    const cut = written('cut.mp4', readFileSync('assets/sample.mp4').subarray(0, 5000));
    for (const [path, message] of [
      [join(folder, 'none.mp4'), 'source_open'],
      [cut, 'source_'],
    ] as const) {
      for (const args of [
        ['publish-file', path, url],
        ['file-to-kmp', path, join(folder, 'x')],
      ]) {
        const child = example(args[0] ?? '', ...args.slice(1));
        assert.equal(await child.exit, 1);
        await child.says(message);
      }
    }
  });

  it('reject when the server refuses', async (t) => {
    const rejectPublish = { code: 'NetStream.Publish.BadName', description: 'in use' };
    const ingest = await ScriptableIngest.start({ answers: true, rejectPublish });
    t.after(() => ingest.close());
    const url = `rtmp://127.0.0.1:${ingest.port}/app/stream`;
    for (const [name, ...more] of [['publish-dumps'], ['shift-audio', '0']]) {
      const child = example(name ?? '', url, ...dumps, ...more);
      assert.equal(await child.exit, 1);
      await child.says('NetStream.Publish.BadName');
    }
  });
});
