import type { MediaSettings } from '../config/settings.js';
import { SenderRejected } from './tracks/track-refused.js';

/** The sender of a track. */
export interface Sender {
  /** IP address, or that of Unix-domain sockets; undefined if the connection is gone. */
  readonly address: string | undefined;
  /** Name of the secret that its connect data was signed with; undefined: it needed no signature. */
  readonly signer: string | undefined;
}

/** The owner of an upstream: its first sender. Only its owner can add tracks to it, until it has ended. */
export interface Owner {
  readonly by: 'address' | 'secret';
  readonly value: string;
}

/** The owner of an upstream that `sender` creates; undefined: everyone can join it (`kmp_rtmp_in_owner`). */
export function ownerOf(by: MediaSettings['inOwner'], sender: Sender | undefined): Owner | undefined {
  if (by === 'off' || sender === undefined) return undefined;
  const value = valueOf(by, sender);
  // If signatures are required from now on, senders that have none so far must be able to return.
  return value === undefined ? undefined : { by, value };
}

/** @throws SenderRejected if the upstream of `owner` belongs to someone else than `sender` */
export function checkOwner(owner: Owner | undefined, sender: Sender | undefined): void {
  if (owner === undefined || sender === undefined || valueOf(owner.by, sender) === owner.value) return;
  const { by, value } = owner;
  const name = value === '' ? 'a secret without a name' : `the secret "${value}"`;
  const first = by === 'address' ? `came from ${value}` : `has signed with ${name}`;
  throw new SenderRejected('owner', `the upstream belongs to its first sender, which ${first} (kmp_rtmp_in_owner)`);
}

function valueOf(by: Owner['by'], { address, signer }: Sender): string | undefined {
  return by === 'address' ? address : signer;
}
