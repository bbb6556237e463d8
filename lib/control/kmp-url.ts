import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { KmpRtmpError } from '../base/errors.js';

/** Where senders can reach the KMP server. */
export interface KmpAddress {
  /** An address, a name, or `0.0.0.0`, `::` or `*` for all addresses of this machine. */
  readonly host: string;
  readonly port: number;
}

/**
 * `kmp://ip:port`, since senders take no names. All addresses of this machine become the one that the callback came in on:
 * the sender can reach that.
 *
 * @throws KmpRtmpError `kmp_unknown` if there is none, or its name has no address
 */
export async function kmpUrl(kmp: KmpAddress | undefined, cameInOn: string | undefined): Promise<string> {
  if (!kmp) throw new KmpRtmpError('kmp_unknown', 'no KMP server is there to send to; see kmp= of kmp_rtmp_control');
  const { host, port } = kmp;
  const any = host === '0.0.0.0' || host === '::' || host === '*';
  const name = (any ? cameInOn : host)?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '') ?? '';
  const address = isIP(name) === 0 ? await resolved(name) : name;
  return `kmp://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

async function resolved(name: string): Promise<string> {
  const addresses = await lookup(name, { all: true }).catch(() => []);
  const best = addresses.find(({ family }) => family === 4) ?? addresses[0];
  if (best) return best.address;
  throw new KmpRtmpError('kmp_unknown', `the KMP server's name ${name} has no address; see kmp= of kmp_rtmp_control`);
}
