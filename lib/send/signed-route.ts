import { KmpRtmpError } from '../base/errors.js';
import { SIGNATURE_LIFETIME, signConnectData } from '../kmp/signature.js';
import type { Clock } from '../time/clock.js';
import type { PlannedTrack } from './plan.js';
import type { SendRoute } from './sender.js';

/**
 * The connection of a track to a KMP server that wants signed connect data (`kmp_rtmp_in_secret`). It is signed again
 * for each connection.
 *
 * @throws KmpRtmpError `send_connect_data` if the connect data of a dump is not a JSON object
 */
export function signedRoute(
  { channelId, trackId, connectData }: PlannedTrack,
  at: { readonly host: string; readonly port: number },
  secret: string,
  clock: Pick<Clock, 'wall'>,
): SendRoute {
  const fields = { ...objectOf(connectData), channel_id: channelId, track_id: trackId };
  const signed = (): string => signConnectData(fields, secret, Math.ceil(clock.wall() / 1000) + SIGNATURE_LIFETIME);
  const { host, port } = at;
  const renew = (): Promise<{ host: string; port: number; connectData: string }> =>
    Promise.resolve({ host, port, connectData: signed() });
  return { host, port, channelId, trackId, connectData: signed(), renew };
}

function objectOf(connectData: string | Buffer): object {
  try {
    const value: unknown = JSON.parse(String(connectData));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The message of the error may contain a stream key.
  }
  throw new KmpRtmpError(
    'send_connect_data',
    'the connect data of the file is not a JSON object, so it cannot be signed',
  );
}
