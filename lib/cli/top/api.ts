import fetch, { FetchError } from 'node-fetch';
import { messageOf } from '../../base/errors.js';
import { CommandError } from '../exit.js';
import { readStatus, type ServiceSample } from './status.js';

/** How long an answer may take, ms, and how long it may be, bytes. */
const TIMEOUT = 10_000;
const MOST = 64 * 1024 * 1024;

/**
 * Asks the management API for everything.
 *
 * @param url of the API's location
 * @param now monotonic ms
 * @throws CommandError that says why there is no answer, and what to do
 */
export async function fetchStatus(url: string, token: string | undefined, now: () => number): Promise<ServiceSample> {
  const at = now();
  const sample = readStatus(await fetchJson(url, token), at);
  if (sample === undefined) throw new CommandError(`${url} is not the API of kmp-rtmp; --api says where that is`);
  return sample;
}

async function fetchJson(url: string, token: string | undefined): Promise<unknown> {
  const headers = { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  try {
    const answer = await fetch(url, { headers, size: MOST, signal: AbortSignal.timeout(TIMEOUT) });
    if (answer.ok) return await answer.json();
    throw new CommandError(`${url} answers ${answer.status}: ${advice(answer.status)}`);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof SyntaxError || (error instanceof FetchError && error.type === 'invalid-json'))
      return undefined;
    const refused = error instanceof FetchError && error.code === 'ECONNREFUSED';
    const why = refused ? 'nothing listens there; does kmp-rtmp run?' : messageOf(error);
    throw new CommandError(`no answer from ${url}: ${why}`, { cause: error });
  }
}

function advice(status: number): string {
  if (status === 401) return 'it wants a token; give it by --token or KMP_RTMP_API_TOKEN';
  if (status === 403) return 'it does not let this address in (allow and deny of the configuration)';
  if (status === 404) return 'there is no kmp_rtmp_api at this location; --api says where it is';
  return 'not the answer of a healthy API';
}
