import { promises as dns, type RecordWithTtl } from 'node:dns';
import { isIP } from 'node:net';
import { messageOf } from '../../base/errors.js';
import { systemClock, timerMs, type Clock, type Timer } from '../../time/clock.js';
import { PublishError } from '../publish-error.js';

/** Resolves a host name to its addresses, best first. Returns at least one, or rejects with a PublishError. */
export type Resolve = (host: string) => Promise<string[]>;

export interface DnsServers {
  /** `address` or `address:port`, `[v6]:port`. */
  readonly servers: readonly string[];
  /** Time limit for a look-up in all, ms. */
  readonly timeout: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** Time that an answer is cached, ms; undefined: its own TTL. */
  readonly valid?: number | undefined;
}

/** Rejects names that cannot exist, without asking a server. */
function checkName(host: string): void {
  const labels = host.replace(/\.$/, '').split('.');
  const fits = host.length <= 253 && labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  if (!fits) throw new PublishError('start_resolve', `"${host.slice(0, 80)}" is not a host name`);
}

/** Resolves by the operating system (hosts file included). An address needs no look-up. */
export const systemResolve: Resolve = async (host) => {
  if (isIP(host) !== 0) return [host];
  checkName(host);
  try {
    const found = await dns.lookup(host, { all: true, verbatim: true });
    return found.map((entry) => entry.address);
  } catch (error) {
    throw new PublishError('resolve', `${host} could not be resolved: ${messageOf(error)}`, { cause: error });
  }
};

type Cache = Map<string, { readonly until: number; readonly addresses: string[] }>;

/** Most cached names: senders choose the names, and could use a new one each time. */
const MAX_CACHED = 1000;

/** Makes room for one more entry. */
function forgetStale(cache: Cache, now: number): void {
  if (cache.size < MAX_CACHED) return;
  for (const [host, { until }] of cache) if (until <= now) cache.delete(host);
  const [oldest] = cache.keys();
  if (cache.size >= MAX_CACHED && oldest !== undefined) cache.delete(oldest);
}

/** Answers that are about the server, not about the name: another server may know it. */
const SERVER_FAULTS = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP', 'EFORMERR']);

/** Unanswered questions are repeated after 1, 3 and 7 parts of the time limit, which has this many parts. */
const PARTS = 15;
const TRIES = 4;

/**
 * How long the answer for one family is waited for once the other one has addresses, ms. RFC 8305, section 3, has 50
 * ms, and lets an answer that comes later join in; here, connecting begins with all addresses that there will be.
 */
const RESOLUTION_DELAY = 500;

interface Answer {
  /** True if one family has not been answered in time. */
  readonly partial: boolean;
  readonly addresses: string[];
  /** Time to live, ms. */
  readonly ttl: number;
  /** Why there are no addresses. */
  readonly problem: unknown;
}

/**
 * The resolver itself tries the next server only if one does not answer. This also skips a server that answers with
 * an error.
 */
async function ask(host: string, { servers, timeout, ipv4, ipv6 }: DnsServers, clock: Clock): Promise<Answer> {
  const resolver = new dns.Resolver({ timeout: Math.max(1, Math.ceil(timerMs(timeout) / PARTS)), tries: TRIES });
  let late = false;
  const cut = clock.after(timeout, () => {
    late = true;
    resolver.cancel();
  });
  try {
    for (let first = 0; ; first++) {
      resolver.setServers([...servers.slice(first), ...servers.slice(0, first)]);
      const answers = await enough(
        [
          ...(ipv4 ? [resolver.resolve4(host, { ttl: true })] : []),
          ...(ipv6 ? [resolver.resolve6(host, { ttl: true })] : []),
        ],
        clock,
      );
      const partial = answers.includes(undefined);
      const found = answers.flatMap((answer) => (answer?.status === 'fulfilled' ? answer.value : []));
      const problem: unknown = answers.find((answer) => answer?.status === 'rejected')?.reason;
      const fault = problem instanceof Error && 'code' in problem && SERVER_FAULTS.has(String(problem.code));
      if (found.length === 0 && fault && !late && first + 1 < servers.length) continue;
      const ttl = Math.min(...found.map((record) => record.ttl)) * 1000;
      return { partial, addresses: found.map(({ address }) => address), ttl, problem };
    }
  } finally {
    cut.cancel();
    // Questions without an answer are not needed any more.
    resolver.cancel();
  }
}

type Answered = PromiseSettledResult<RecordWithTtl[]>;

/** The answers to `questions`: of all, or of those that came within the delay after the first one with addresses. */
function enough(questions: readonly Promise<RecordWithTtl[]>[], clock: Clock): Promise<(Answered | undefined)[]> {
  return new Promise((resolve) => {
    const answers = questions.map((): Answered | undefined => undefined);
    let open = questions.length;
    let timer: Timer | undefined;
    const finish = (): void => {
      timer?.cancel();
      resolve([...answers]);
    };
    const take = (at: number, answer: Answered): void => {
      answers[at] = answer;
      open--;
      if (open === 0) finish();
      else if (answer.status === 'fulfilled' && answer.value.length > 0)
        timer ??= clock.after(RESOLUTION_DELAY, finish);
    };
    questions.forEach((question, at) => {
      question.then(
        (value) => take(at, { status: 'fulfilled', value }),
        (reason: unknown) => take(at, { status: 'rejected', reason }),
      );
    });
    if (open === 0) finish();
  });
}

/**
 * Asks the given DNS servers (`resolver` of the configuration), A and AAAA, IPv4 first. An answer for one family alone
 * is given when the other one is late, and is not remembered.
 */
export function dnsResolve(options: DnsServers, clock: Clock = systemClock): Resolve {
  const cache: Cache = new Map();
  return async (host) => {
    if (isIP(host) !== 0) return [host];
    checkName(host);
    const cached = cache.get(host);
    if (cached !== undefined && cached.until > clock.now()) return cached.addresses;
    const { partial, addresses, ttl, problem } = await ask(host, options, clock);
    if (addresses.length === 0) {
      const why = problem === undefined ? 'no address' : messageOf(problem);
      throw new PublishError('resolve', `${host} could not be resolved by ${options.servers.join(', ')}: ${why}`);
    }
    const valid = options.valid ?? ttl;
    if (valid > 0 && !partial) {
      forgetStale(cache, clock.now());
      cache.set(host, { until: clock.now() + valid, addresses });
    }
    return addresses;
  };
}
