import fetch, { FetchError } from 'node-fetch';
import { messageOf } from '../../base/errors.js';
import { withoutLogin } from '../../base/url-login.js';
import { CommandError } from '../exit.js';
import { readFailed, readStatus, type ServiceSample } from './status.js';

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
  const { url: address, authorization } = withoutLogin(url);
  const api: Api = {
    url: authorization === undefined ? url : address.href,
    authorization: token === undefined ? authorization : `Bearer ${token}`,
  };
  const at = now();
  const [status, failed] = await Promise.all([fetchJson(api), fetchFailed(api)]);
  const sample = readStatus(status, at);
  if (sample === undefined) throw new CommandError(`${api.url} is not the API of kmp-rtmp; give its address by --api`);
  return { ...sample, ...failed };
}

/** The address of the API, without user and password: it is printed. */
interface Api {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** The answer has another status than 200. */
class StatusError extends CommandError {
  constructor(
    url: string,
    readonly status: number,
  ) {
    super(`${url} answers ${status}: ${advice(status)}`);
  }
}

/** The module, and older services, have no record of failures: they answer 404. */
async function fetchFailed({ url, authorization }: Api): Promise<Pick<ServiceSample, 'failed' | 'failedUnknown'>> {
  const closed = `${url.replace(/[?#].*$/s, '').replace(/\/$/, '')}/closed?limit=1000`;
  try {
    return { failed: readFailed(await fetchJson({ url: closed, authorization })) };
  } catch (error) {
    if (error instanceof StatusError && error.status === 404) return {};
    return { failedUnknown: messageOf(error) };
  }
}

async function fetchJson({ url, authorization }: Api): Promise<unknown> {
  const headers = { accept: 'application/json', ...(authorization === undefined ? {} : { authorization }) };
  try {
    const answer = await fetch(url, { headers, size: MOST, signal: AbortSignal.timeout(TIMEOUT) });
    if (answer.ok) return await answer.json();
    throw new StatusError(url, answer.status);
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
