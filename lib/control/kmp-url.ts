import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { KmpRtmpError } from '../base/errors.js';
import { isAnyHost } from '../config/access/special-addresses.js';

/** Address at which senders reach the KMP server. */
export interface KmpAddress {
  /** An IP address, a host name, or `0.0.0.0`, `::` or `*` for all addresses of this machine. */
  readonly host: string;
  readonly port: number;
}

/**
 * Returns `kmp://ip:port`; senders do not accept host names. If the server listens on all addresses, the address on
 * which the callback arrived is used, because the sender can reach it.
 *
 * @param where the setting that has the address, for the message
 * @throws KmpRtmpError `control_no_kmp` if there is no KMP server, or if its name has no address
 */
export async function kmpUrl(
  kmp: KmpAddress | undefined,
  localAddress: string | undefined,
  where = 'kmp= of kmp_rtmp_control',
): Promise<string> {
  if (!kmp) throw new KmpRtmpError('control_no_kmp', 'this service has no KMP server; set kmp= of kmp_rtmp_control');
  const { host, port } = kmp;
  const name = (isAnyHost(host) ? localAddress : host)?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '') ?? '';
  const address = isIP(name) === 0 ? await resolve(name, where) : name;
  return `kmp://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

async function resolve(name: string, where: string): Promise<string> {
  const addresses = await lookup(name, { all: true }).catch(() => []);
  const best = addresses.find(({ family }) => family === 4) ?? addresses[0];
  if (best) return best.address;
  throw new KmpRtmpError('control_no_kmp', `the host name of the KMP server, ${name}, has no address; check ${where}`);
}
