import { acknowledgement, pingResponse, windowAckSize, type ControlOut } from './message/control.js';
import type { ServerEvent } from './server-event.js';

/**
 * The answer that the protocol requires to `event`, if any (docs/protocol/servers.md, Acknowledgements and pings).
 */
export function protocolReply(event: ServerEvent): ControlOut | undefined {
  if (event.kind === 'ping') return pingResponse(event.timestamp);
  if (event.kind === 'ackDue') return acknowledgement(event.sequence);
  if (event.kind === 'peerBandwidth' && event.announce !== undefined) return windowAckSize(event.announce);
  return undefined;
}
