import type { Socket } from 'node:net';
import type { MediaSettings } from '../../config/settings.js';
import type { Logger } from '../../base/logger.js';
import type { SigningSecret } from '../../base/signing-secret.js';
import { checkSignature } from '../../kmp/signature.js';
import { peerAddress, peerName } from '../../net/peer.js';
import { addressName } from '../../net/listen.js';
import type { PeerLog } from '../../net/peer-log.js';
import type { Clock } from '../../time/clock.js';
import type { OwnerGate } from '../ownership/owner-gate.js';
import type { FleetMember } from '../ownership/ownership.js';
import type { Rejections } from '../report/rejection.js';
import type { ReadConnect } from './read-connect.js';
import { relayConnection } from './relay-connection.js';

export interface MisplacedOptions {
  readonly gate?: OwnerGate | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly errors: PeerLog;
  readonly counter: { readonly rejected: Rejections; relayed: number };
}

/** Where a packet has a field that is not used (docs/protocol/kmp.md, Packet), bytes. */
const RESERVED_AT = 12;
/** What a node writes there in a connect packet that it passes on. */
const PASSED_ON = Buffer.from('node');

interface Context {
  readonly settings: MediaSettings;
  readonly secrets?: readonly SigningSecret[];
}

/** Connections that do not belong to this node of a fleet: they are passed on to their node, or closed. */
export class Misplaced {
  /** @param closing true from when the listener ends: connections that it cuts are no errors */
  constructor(
    private readonly options: MisplacedOptions,
    private readonly closing: () => boolean,
  ) {}

  /**
   * Takes a connection that does not belong to this node; false: it does. A connection with a wrong signature is left
   * to the code that opens it: it is closed there, and never passed on.
   *
   * @param head all bytes that were read of it
   */
  takes(socket: Socket, { packet, data }: ReadConnect, head: Buffer, { settings, secrets = [] }: Context): boolean {
    const { gate, clock, counter } = this.options;
    const verdict = gate?.judge(data.upstreamId, data.fleet) ?? 'here';
    if (verdict === 'here') return false;
    if (secrets.length > 0 && 'refusal' in checkSignature(packet, secrets, clock.wall() / 1000)) return false;
    const log = this.options.log.child({ peer: peerName(socket), upstream: data.upstreamId.slice(0, 256) });
    const error = (message: string): void => this.options.errors.error(peerAddress(socket) ?? '', log, message);
    if ('relay' in verdict) {
      const { name } = verdict.relay;
      if (wasPassedOn(head)) {
        counter.rejected.fleet_misplaced++;
        const hint = 'are the kmp= addresses of the nodes right?';
        error(
          `KMP connection closed: fleet_misplaced: it is for node ${name}, but was passed on to this node; ${hint}`,
        );
        close(socket);
        return true;
      }
      counter.relayed++;
      PASSED_ON.copy(head, RESERVED_AT);
      this.relay(socket, verdict.relay, head, settings.inReadTimeout, log);
      return true;
    }
    counter.rejected[verdict.refusal]++;
    error(`KMP connection closed: ${verdict.refusal}: ${verdict.message}`);
    close(socket);
    return true;
  }

  private relay(socket: Socket, to: FleetMember, head: Buffer, idleTimeout: number, log: Logger): void {
    const { name, host, port } = to;
    const address = addressName({ host, port });
    log.info(`KMP connection of node ${name}: it is passed on to ${address}`);
    const onError = (message: string): void => {
      if (this.closing()) return;
      // Limited for each node, because one that is down fails for all senders.
      this.options.errors.error(
        `node ${name}`,
        log,
        `KMP connection passed on to node ${name} (${address}): ${message}`,
      );
    };
    relayConnection(socket, { host, port, head, idleTimeout, clock: this.options.clock, onError });
  }
}

/** Another node has passed it on to this node. Nodes that take each other's addresses would do so without end. */
function wasPassedOn(head: Buffer): boolean {
  return head.subarray(RESERVED_AT, RESERVED_AT + PASSED_ON.length).equals(PASSED_ON);
}

function close(socket: Socket): void {
  socket.on('error', () => {});
  socket.destroy();
}
