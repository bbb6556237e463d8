import { createHash, timingSafeEqual } from 'node:crypto';
import { KmpRtmpError } from '../base/errors.js';

/** A key that allows publishing. */
export interface PublishKey {
  /** The only stream name that it allows; undefined: any name. */
  readonly name: string | undefined;
  readonly key: string;
}

/** The name of a stream whose publisher gives a key and no name. */
export const DEFAULT_NAME = 'live';

/** Shortest key, in characters: a shorter one can be guessed. */
const SHORTEST = 8;

/**
 * Reads `KEY` or `NAME:KEY`, as on the command line.
 *
 * @throws KmpRtmpError `publish_key`
 */
export function parsePublishKey(text: string): PublishKey {
  const colon = text.indexOf(':');
  const name = colon < 0 ? undefined : text.slice(0, colon);
  const key = text.slice(colon + 1);
  if (name === '' || !/^[^\s?&#/:]*$/.test(name ?? ''))
    throw new KmpRtmpError(
      'publish_key',
      'a publish key is KEY or NAME:KEY; the NAME must not contain spaces, ?, &, # or /',
    );
  if (key.length < SHORTEST || !/^[\x21-\x7e]+$/.test(key) || /[?&#/]/.test(key))
    throw new KmpRtmpError(
      'publish_key',
      `a publish key needs at least ${SHORTEST} letters, digits or signs, without spaces, ?, &, # and /`,
    );
  return { name, key };
}

/**
 * Reads a key file: one `KEY` or `NAME:KEY` in each line; empty lines and lines that begin with `#` are skipped.
 *
 * @throws KmpRtmpError `publish_key` with the number of the line
 */
export function parseKeyFile(text: string, path: string): PublishKey[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) return [];
    try {
      return [parsePublishKey(entry)];
    } catch (error) {
      if (!(error instanceof KmpRtmpError)) throw error;
      throw new KmpRtmpError(error.code, `${path}, line ${index + 1}: ${error.message}`, { cause: error });
    }
  });
}

/**
 * The name under which a publish is allowed; undefined if it is not. An encoder gives the key as `NAME?key=KEY`, or
 * publishes the bare `KEY`. The result has no key in it: names appear in logs and ids.
 *
 * @param published the stream name as the encoder sends it
 */
export function allowedName(keys: readonly PublishKey[], published: string): string | undefined {
  const query = published.indexOf('?');
  const name = query < 0 ? published : published.slice(0, query);
  const args = query < 0 ? [] : published.slice(query + 1).split('&');
  const given = args.find((arg) => arg.startsWith('key='))?.slice('key='.length);
  const rest = args.filter((arg) => !arg.startsWith('key='));
  const withRest = (found: string): string => (rest.length === 0 ? found : `${found}?${rest.join('&')}`);
  const secret = given ?? name;
  let allowed: string | undefined;
  // All keys are compared, each in constant time, so that the time of the answer says nothing about them.
  for (const { name: only, key } of keys) {
    const same = equal(key, secret) || (given !== undefined && equal(key, decoded(given)));
    const nameFits = given === undefined || only === undefined || only === name;
    if (same && nameFits && allowed === undefined)
      allowed = withRest(given === undefined ? (only ?? DEFAULT_NAME) : name);
  }
  return allowed;
}

function equal(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
