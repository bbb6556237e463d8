/** The programs of docs/pipeline.md and of the README as processes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { startChild, type Child } from '../support/process/child.js';
import type { ScriptableIngest } from '../support/ingest/scriptable-ingest.js';
import { blocks } from './pages.js';

/** Recordings of a video and an audio track. */
export const dumps = ['v.kmp', 'a.kmp'].map((name) => `spec/golden/data/av/${name}`);

export const example = (name: string, ...args: string[]): Child => startChild([`dist/examples/${name}.js`, ...args]);

/** Starts the README's program, with an ingest of the spec and these files. */
export function readme(ingest: Pick<ScriptableIngest, 'port'>, files: readonly string[]): Child {
  const [block = ''] = blocks({ path: 'README.md', text: readFileSync('README.md', 'utf8') })
    .filter(({ language }) => language === 'ts')
    .map(({ text }) => text);
  const program = block
    .replace("'rtmp://127.0.0.1/live/test'", `'rtmp://127.0.0.1:${ingest.port}/app/stream'`)
    .replace("'video.kmp', 'audio.kmp'", files.map((path) => `'${path}'`).join(', '));
  assert.ok(program.includes(String(ingest.port)) && files.every((path) => program.includes(path)));
  // From within the package, as which it knows itself; it has no types to take off.
  return startChild(['--input-type=module', '--eval', program]);
}
