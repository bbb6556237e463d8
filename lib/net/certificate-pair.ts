import tls from 'node:tls';
import { messageOf } from '../base/errors.js';

/** A certificate chain and its private key, in PEM form. */
export interface CertificatePair {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** Why a certificate and a key cannot be used together, in plain words; with the error of OpenSSL as its cause. */
export function pairProblem(pair: CertificatePair): Error | undefined {
  try {
    tls.createSecureContext(pair);
    return undefined;
  } catch (error) {
    return new Error(worded(messageOf(error)), { cause: error });
  }
}

/** The most frequent errors of OpenSSL. */
function worded(message: string): string {
  if (/key values mismatch/i.test(message)) return 'the key belongs to another certificate';
  if (/interrupted or cancelled|bad decrypt|bad password/i.test(message)) return 'the key has a password';
  return message;
}
