import { readFileSync } from 'node:fs';
import tls, { type SecureContextOptions } from 'node:tls';
import { fileErrorText, KmpRtmpError, messageOf } from '../base/errors.js';
import type { CertificateFiles, HttpServerConfig } from '../config/config.js';

/** A certificate or key for `listen ... ssl` cannot be read or used. */
export class CertificateError extends KmpRtmpError {
  constructor(reason: string, cause: unknown) {
    super('TLS_FILE', reason, { cause });
  }
}

/**
 * Reads the certificates and keys of an HTTP server, and checks that they can be used.
 *
 * @returns undefined if the server has none
 * @throws CertificateError
 */
export function readCertificates({
  certificates,
}: Pick<HttpServerConfig, 'certificates'>): SecureContextOptions | undefined {
  if (certificates.length === 0) return undefined;
  const pairs = certificates.map(readPair);
  return { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) };
}

function readPair({ certificate, key }: CertificateFiles): { readonly cert: Buffer; readonly key: Buffer } {
  const pair = { cert: read('ssl_certificate', certificate), key: read('ssl_certificate_key', key) };
  try {
    tls.createSecureContext(pair);
  } catch (error) {
    const files = `ssl_certificate ${certificate} and ssl_certificate_key ${key}`;
    throw new CertificateError(`${files} cannot be used together: ${problemOf(error)}`, error);
  }
  return pair;
}

function read(directive: string, path: string): Buffer {
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch (error) {
    throw new CertificateError(`${directive}: cannot read ${path}: ${fileErrorText(error)}`, error);
  }
  // OpenSSL ignores text that is not PEM.
  if (text.includes('-----BEGIN ')) return text;
  throw new CertificateError(`${directive}: ${path} is not in PEM form`, undefined);
}

/** The most frequent errors of OpenSSL, in plain words. */
function problemOf(error: unknown): string {
  const message = messageOf(error);
  if (/key values mismatch/i.test(message)) return 'the key belongs to another certificate';
  if (/interrupted or cancelled|bad decrypt|bad password/i.test(message)) return 'the key has a password';
  return message;
}
