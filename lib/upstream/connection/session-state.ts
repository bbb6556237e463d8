import type { UpstreamState } from '../report/status.js';
import type { ConnectionSet } from './connection-set.js';

/**
 * - `new`: not opened yet;
 * - `open`: there is a connection, or an attempt to open one;
 * - `waiting`: for its turn to connect;
 * - `closing`: no more frames come, and encoded bytes are sent;
 * - `closed`
 */
export type SessionPhase = 'new' | 'open' | 'waiting' | 'closing' | 'closed';

/**
 * The state of a session that the API shows.
 *
 * @param isRetrying true while attempts are made to restore a connection that broke
 */
export function sessionState(phase: SessionPhase, connections: ConnectionSet, isRetrying: boolean): UpstreamState {
  switch (phase) {
    case 'new':
      return 'resolving';
    case 'open': {
      const { state: connected = 'resolving', current } = connections;
      // Until the server has accepted a stream, the session does not publish.
      const state = connected === 'publishing' && !current.isLive ? 'handshaking' : connected;
      // For an observer, all attempts to restore a connection are one state.
      return isRetrying && state !== 'publishing' && state !== 'closing' ? 'reconnecting' : state;
    }
    case 'waiting':
      return isRetrying ? 'reconnecting' : 'waiting';
    default:
      return 'closing';
  }
}
