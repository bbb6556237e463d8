import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningSecret } from '../base/signing-secret.js';
import type { ConnectPacket } from './packet.js';

/** Longest connect data that is checked, bytes: each secret costs a pass over all of it. */
export const MAX_SIGNED = 32_768;

/** Seconds for which a signature of this project is valid. It includes the difference between two clocks. */
export const SIGNATURE_LIFETIME = 300;

/** The last member of the object. In a JSON text, quotes without a backslash cannot be inside a string. */
const SIGNATURE = /,\s*"signature"\s*:\s*"([\da-fA-F]{64})"\s*\}\s*$/;
/** Bytes at the end of the data in which the signature is looked for. */
const TAIL = 256;

/** Result of a check: the name of the secret that fits, or why the data is refused. Neither contains secrets. */
export type SignatureCheck = { readonly signer: string } | { readonly refusal: string };

/**
 * Writes connect data with its signature (docs/control.md, Signed connect data). The signature is the HMAC-SHA256 of
 * all bytes before it, so it holds for this upstream, this URL and all other fields.
 *
 * @param fields the connect data; with `channel_id` and `track_id`, only a connect packet with these ids is accepted
 * @param expires seconds since 1970 until which a connection may begin with it
 */
export function signConnectData(fields: object, secret: string, expires: number): string {
  const { signature: _, ...signed } = { ...fields, expires } as Record<string, unknown>;
  const text = JSON.stringify(signed).slice(0, -1);
  return `${text},"signature":"${hmac(Buffer.from(text), secret).toString('hex')}"}`;
}

/**
 * Checks the signature of connect data: whether one of `secrets` made it, whether it is still valid, and whether it is
 * for this packet. All secrets are tried, and each is compared in constant time.
 *
 * @param now seconds since 1970
 */
export function checkSignature(
  { data, channelId, trackId }: Pick<ConnectPacket, 'data' | 'channelId' | 'trackId'>,
  secrets: readonly SigningSecret[],
  now: number,
): SignatureCheck {
  if (data.length > MAX_SIGNED) return refuse(`it has ${data.length} bytes; signed data has at most ${MAX_SIGNED}`);
  const [end, hex = ''] = SIGNATURE.exec(data.toString('latin1', Math.max(0, data.length - TAIL))) ?? [];
  if (end === undefined) return refuse('it is not signed: "signature" (64 hex digits) has to be its last member');
  const signed = data.subarray(0, data.length - end.length);
  const given = Buffer.from(hex, 'hex');
  const fitting = secrets.filter(({ secret }) => timingSafeEqual(hmac(signed, secret), given));
  const [found] = fitting;
  if (found === undefined) {
    return refuse('its signature fits to none of the secrets: it has another one, or was changed after it was signed');
  }
  const fields = fieldsOf(data);
  if (fields === undefined) return refuse('it is not a JSON object');
  const expires = fields['expires'];
  if (typeof expires !== 'number' || !Number.isFinite(expires)) {
    return refuse('"expires" (seconds since 1970) is missing in what was signed');
  }
  if (now > expires) return refuse(`its signature expired ${Math.ceil(now - expires)} s ago`);
  for (const [field, expected] of [
    ['channel_id', channelId],
    ['track_id', trackId],
  ] as const) {
    const value = fields[field];
    if (value !== undefined && value !== expected)
      return refuse(`it was signed for another ${field} than the packet's`);
  }
  return { signer: found.name };
}

function refuse(refusal: string): SignatureCheck {
  return { refusal };
}

function hmac(data: Buffer, secret: string): Buffer {
  return createHmac('sha256', secret).update(data).digest();
}

/** The own members of the object; undefined if it is none. */
function fieldsOf(data: Buffer): Record<string, unknown> | undefined {
  try {
    return Object.assign(Object.create(null) as Record<string, unknown>, JSON.parse(data.toString('utf8')));
  } catch {
    // The message of the error contains a part of the data, which may be a stream key.
    return undefined;
  }
}
