import type { SecureContextOptions } from 'node:tls';
import { fileErrorText, KmpRtmpError } from '../base/errors.js';
import { readRegularFile } from '../base/regular-file.js';
import type { CertificateFiles, HttpServerConfig } from '../config/config.js';
import { pairProblem, type CertificatePair } from '../net/certificate-pair.js';

/** A certificate or key for `listen ... ssl` cannot be read or used. */
export class CertificateError extends KmpRtmpError {
  /** @param path the file that cannot be used; of a pair that does not fit, its certificate */
  constructor(
    reason: string,
    readonly path: string,
    cause: unknown,
  ) {
    super('tls_file', reason, { cause });
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

function readPair({ certificate, key }: CertificateFiles): CertificatePair {
  const pair = { cert: read('ssl_certificate', certificate), key: read('ssl_certificate_key', key) };
  const problem = pairProblem(pair);
  if (problem === undefined) return pair;
  const files = `ssl_certificate ${certificate} and ssl_certificate_key ${key}`;
  throw new CertificateError(`${files} cannot be used together: ${problem.message}`, certificate, problem.cause);
}

function read(directive: string, path: string): Buffer {
  let text: Buffer;
  try {
    text = readRegularFile(path);
  } catch (error) {
    throw new CertificateError(`${directive}: cannot read ${path}: ${fileErrorText(error)}`, path, error);
  }
  // OpenSSL ignores text that is not PEM.
  if (text.includes('-----BEGIN ')) return text;
  throw new CertificateError(`${directive}: ${path} is not in PEM form`, path, undefined);
}
