import fetch, { FetchError } from 'node-fetch';
import { messageOf } from '../../base/errors.js';
import { CommandError } from '../exit.js';
import { readFailed, readStatus, type FailedSample, type ServiceSample } from './status.js';

/** How long an answer may take, ms, and how large it may be, bytes. */
const TIMEOUT = 10_000;
const MOST = 64 * 1024 * 1024;

/**
 * Reads the status of the service from the management API.
 *
 * @param url of the API's location
 * @param now monotonic ms
 * @throws CommandError with the reason why there is no answer, and what to do
 */
export async function fetchStatus(url: string, token: string | undefined, now: () => number): Promise<ServiceSample> {
  const at = now();
  const [status, failed] = await Promise.all([fetchJson(url, token), fetchFailed(url, token)]);
  const sample = readStatus(status, at);
  if (sample === undefined) throw new CommandError(`${url} is not the API of kmp-rtmp; give its address by --api`);
  return { ...sample, failed };
}

/** The module, and older services, have no record of failures. */
async function fetchFailed(url: string, token: string | undefined): Promise<FailedSample[]> {
  try {
    return readFailed(await fetchJson(`${url.replace(/[?#].*$/s, '').replace(/\/$/, '')}/closed?limit=1000`, token));
  } catch {
    return [];
  }
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
    const why = refused ? 'nothing listens there; is kmp-rtmp running?' : messageOf(error);
    throw new CommandError(`no answer from ${url}: ${why}`, { cause: error });
  }
}

function advice(status: number): string {
  if (status === 401) return 'the API needs a token; give it by --token or KMP_RTMP_API_TOKEN';
  if (status === 403) return 'this address has no access (allow and deny in the configuration)';
  if (status === 404) return 'there is no kmp_rtmp_api at this location; give its address by --api';
  return 'the API does not work as it should';
}
