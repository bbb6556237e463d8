import type { SigningSecret } from '../../base/signing-secret.js';
import { ConfigError, ValueError, type Origin } from '../errors.js';
import type { ConfigFiles } from '../files/files.js';
import type { ValueType } from '../types.js';

/** Shortest secret, characters. A shorter one can be guessed from one signature. */
const MIN_LENGTH = 16;
/** Most secrets of a server: each is tried for each connection. */
const MAX_SECRETS = 64;
const MAX_FILE_BYTES = 65_536;

const LINE = '[NAME] SECRET, such as "studio-a 0f3b6d..."';

/** Type of the arguments of `kmp_rtmp_in_secret`. */
export const senderSecret: ValueType<SigningSecret> = {
  syntax: '[name] secret',
  expected: `an optional name, and a secret of at least ${MIN_LENGTH} characters`,
  args: [1, 2],
  secret: true,
  parse: (args) => secretOf(args),
};

/** @throws ValueError, without the secret */
function secretOf(words: readonly string[]): SigningSecret {
  const [name = '', secret = ''] = words.length === 1 ? ['', ...words] : words;
  if (name !== '' && !/^[\w.@-]{1,64}$/.test(name)) {
    throw new ValueError('a name has 1 to 64 letters, digits and "_", ".", "-", "@"');
  }
  if (!/^[!-~]+$/.test(secret)) throw new ValueError('a secret has printable ASCII characters and no spaces');
  if (secret.length < MIN_LENGTH) {
    throw new ValueError(
      `the secret has ${secret.length} characters; it needs at least ${MIN_LENGTH} (openssl rand -hex 32)`,
    );
  }
  return { name, secret };
}

/**
 * Parses a file of `kmp_rtmp_in_secret_file`: one secret for each line. Empty lines, and lines that begin with `#`, are
 * skipped. Messages never contain a secret.
 *
 * @throws ConfigError config_value with the line of the file
 */
export function parseSenderSecrets(text: string, file: string): SigningSecret[] {
  const secrets: SigningSecret[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    const line = content.trim();
    if (line === '' || line.startsWith('#')) continue;
    const origin = { file, line: index + 1 };
    const words = line.split(/\s+/);
    if (words.length > 2) throw new ConfigError('config_value', origin, `expected ${LINE}`);
    try {
      secrets.push(secretOf(words));
    } catch (error) {
      if (error instanceof ValueError) throw new ConfigError('config_value', origin, error.message);
      throw error;
    }
  }
  const origin = { file, line: 1 };
  if (secrets.length === 0) throw new ConfigError('config_value', origin, `there is no secret; expected ${LINE}`);
  return secrets;
}

/**
 * Reads the files of secrets and adds them to those of the configuration itself.
 *
 * @throws ConfigError if a file cannot be used, or there are too many secrets
 */
export function senderSecrets(
  written: readonly SigningSecret[],
  paths: readonly string[],
  files: ConfigFiles,
  origin: Origin,
): SigningSecret[] {
  const read = paths.flatMap((one) => {
    const path = files.resolve(one, origin);
    return parseSenderSecrets(files.read(path, origin, MAX_FILE_BYTES), path);
  });
  const all = [...written, ...read];
  if (all.length > MAX_SECRETS) {
    throw new ConfigError('config_value', origin, `${all.length} secrets of senders; the maximum is ${MAX_SECRETS}`);
  }
  return all;
}
