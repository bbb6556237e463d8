import { messageOf } from '../../../base/errors.js';
import type { MediaSettings } from '../../../config/settings.js';
import type { ConnectData } from '../../../kmp/connect-data.js';
import type { Elsewhere } from '../../report/orders.js';
import { parseUrlOf, streamNameOf } from '../../tracks/stream-name.js';
import { destinationOf, type Destination } from '../destination.js';

/**
 * The destinations of an upstream: that of `url`, then its backups (docs/failover.md, Backup URLs). A backup that is
 * invalid, or the same as one before it, is left out: the upstream works without it.
 *
 * @param warn called with the reason for each backup that is left out; without stream keys
 * @throws RtmpUrlError if `url` is invalid
 * @throws Error if `kmp_rtmp_out_ssl_trusted_certificate` cannot be read, and `url` needs it
 */
export function destinationsOf(
  data: ConnectData,
  settings: MediaSettings,
  warn: (message: string) => void,
): readonly Destination[] {
  const all = [destinationOf(data, settings)];
  for (const [n, url] of (data.backupUrls ?? []).entries()) {
    try {
      const backup = destinationOf(backupData(data, url), settings, all.length);
      const same = all.find((one) => identityOf(one) === identityOf(backup));
      if (same === undefined) all.push(backup);
      else warn(`backup_urls[${n}] is ignored: it is the same as ${same.index === 0 ? 'url' : 'another backup'}`);
    } catch (error) {
      warn(`backup_urls[${n}] is ignored: ${messageOf(error)}`);
    }
  }
  return all;
}

/**
 * The names of the stream of `data` at each of `destinations`. A further stream of an upstream comes with connect data
 * of its own: its name at a backup is that of its own backup URL for the same server and app. Without one, it has the
 * same name everywhere.
 */
export function streamNamesOf(data: ConnectData, destinations: readonly Destination[]): readonly string[] {
  const name = streamNameOf(data);
  if (destinations.length === 1) return [name];
  const byPlace = new Map<string, string>();
  for (const url of data.backupUrls ?? []) {
    try {
      const backup = backupData(data, url);
      const parsed = parseUrlOf(backup);
      const at = placeOf(parsed.host, parsed.port, backup.app ?? parsed.app);
      if (!byPlace.has(at)) byPlace.set(at, backup.name ?? parsed.stream);
    } catch {
      // The upstream has no such destination either.
    }
  }
  return destinations.map(({ index, url, params }) =>
    index === 0 ? name : (byPlace.get(placeOf(url.host, url.port, params.app)) ?? name),
  );
}

/**
 * The connect data of an upstream whose only destination is the backup `url`. What `url` lacks of app and stream is
 * taken from `app` and `name`, or from the stream of the primary URL.
 *
 * @throws RtmpUrlError
 */
export function backupData(data: ConnectData, url: string): ConnectData {
  const { app, stream } = parseUrlOf({ url, app: data.app });
  return {
    ...data,
    url,
    app: app === '' ? data.app : undefined,
    name: stream === '' ? streamNameOf(data) : undefined,
    tcUrl: undefined,
  };
}

/**
 * The connect data of an upstream whose senders ask for `asked`, and that an operator sends elsewhere.
 *
 * @throws RtmpUrlError
 */
export function dataElsewhere(asked: ConnectData, { url, backupUrls }: Elsewhere): ConnectData {
  return { ...backupData(asked, url), backupUrls };
}

function identityOf({ url, params, streamName }: Destination): string {
  const { host, port, secure, user, password } = url;
  return JSON.stringify([host.toLowerCase(), port, secure, user, password, params.app, streamName]);
}

/** The server and the app. The query of the app is a part of it. */
function placeOf(host: string, port: number, app: string): string {
  return JSON.stringify([host.toLowerCase(), port, app]);
}
