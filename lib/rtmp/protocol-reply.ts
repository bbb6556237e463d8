import { acknowledgement, pingResponse, windowAckSize, type ControlOut } from './message/control.js';
import type { ServerEvent } from './server-event.js';

/** What the protocol itself has to answer to `event` (docs/protocol/servers.md, Acknowledgements and pings), if anything. */
export function protocolReply(event: ServerEvent): ControlOut | undefined {
  if (event.kind === 'ping') return pingResponse(event.timestamp);
  if (event.kind === 'ackDue') return acknowledgement(event.sequence);
  if (event.kind === 'peerBandwidth' && event.announce !== undefined) return windowAckSize(event.announce);
  return undefined;
}
