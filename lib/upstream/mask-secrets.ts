import { maskIn } from '../base/mask.js';
import type { Destination } from './connection/destination.js';
import type { UpstreamStream } from './tracks/stream.js';

/** Masks in `text`, which may come from a server, the stream names, user names and passwords of an upstream. */
export function maskSecrets(
  text: string,
  streams: Iterable<UpstreamStream>,
  destinations: readonly Destination[],
): string {
  const logins = destinations.flatMap(({ url: { user = '', password = '' } }) => [user, password]);
  const names = [...streams].flatMap(({ names }) => names);
  const all = [...names, ...destinations.map(({ streamName }) => streamName)];
  const secrets = all.flatMap((name) => [name, name.replace(/[?#].*$/s, '')]);
  return maskIn(text, [...secrets, ...logins]).replaceAll(/\buser=[^&\s\]]*/g, 'user=***');
}
