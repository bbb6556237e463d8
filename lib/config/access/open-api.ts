import type { LocationConfig } from '../locations.js';
import type { ListenAddress } from './addresses.js';
import { isLoopbackHost } from './special-addresses.js';

/** What decides whether other machines can use an API. */
export interface HttpAccess {
  readonly listen: readonly ListenAddress[];
  readonly locations: readonly LocationConfig[];
}

/**
 * The locations with an API that everyone who reaches the server can change things with: it listens on an address that
 * other machines may reach, and neither a token nor "deny all" protects it.
 */
export function openApis({ listen, locations }: HttpAccess): LocationConfig[] {
  if (listen.every(({ host, path }) => path !== undefined || isLoopbackHost(host))) return [];
  return locations.filter(({ api, token, tokens, access }) => {
    // The first rule that matches decides, so a "deny all" behind "allow all" has no effect.
    const isClosed = access.find(({ who }) => who === 'all')?.action === 'deny';
    return api?.write === true && token === undefined && tokens.length === 0 && !isClosed;
  });
}
