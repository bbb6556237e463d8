import { systemClock } from '../time/clock.js';
import { turnShareOf } from '../time/turn-share.js';

/** Entries that are serialised in one piece of work. */
const AT_ONCE = 16;
/** The indentation of the nginx module. */
const INDENT = 4;

/**
 * Serialises `value` as JSON, in many small pieces of work: with thousands of upstreams it has megabytes. What
 * `value` has under `large` is an object with many entries.
 *
 * @param pretty whether the text has line breaks and indentation; it is the same as that of JSON.stringify
 */
export async function jsonInParts<T extends object>(value: T, large?: keyof T, pretty = false): Promise<Buffer> {
  const texts: string[] = [];
  await turnShareOf(systemClock).inParts(textsOf(value, large, pretty ? 1 : 0), AT_ONCE, (text) => texts.push(text));
  const buffers: Buffer[] = [];
  await turnShareOf(systemClock).inParts(texts, AT_ONCE * AT_ONCE, (text) => buffers.push(Buffer.from(text)));
  return Buffer.concat(buffers);
}

/** @param level 0: without indentation; else the depth of the entries */
function* textsOf(value: object, large: PropertyKey | undefined, level: number): Generator<string> {
  let between = '{';
  for (const [key, entry] of Object.entries(value) as [string, unknown][]) {
    const isLarge = key === large && typeof entry === 'object' && entry !== null;
    const text = isLarge ? '' : textOf(entry, level);
    if (text === undefined) continue;
    const name = `${between}${lineBreak(level)}${JSON.stringify(key)}:${level > 0 ? ' ' : ''}`;
    between = ',';
    yield name + text;
    if (isLarge) yield* textsOf(entry, undefined, level && level + 1);
  }
  yield between === '{' ? '{}' : `${level > 0 ? lineBreak(level - 1, true) : ''}}`;
}

function textOf(entry: unknown, level: number): string | undefined {
  const text = JSON.stringify(entry, undefined, level > 0 ? INDENT : 0) as string | undefined;
  return level > 0 ? text?.replaceAll('\n', lineBreak(level)) : text;
}

function lineBreak(level: number, closing = false): string {
  return level > 0 || closing ? `\n${' '.repeat(level * INDENT)}` : '';
}
