import { parseArgs, type ParseArgsConfig } from 'node:util';
import { messageOf } from '../lib/base/errors.js';

/** Ends the process with a message instead of a stack trace. */
export function giveUp(script: string, error: unknown): never {
  console.error(`${script}: ${messageOf(error)}`);
  process.exit(1);
}

/** The options of `npm run SCRIPT -- [options]`. A wrong one ends the process with a message. */
export function readOptions<const T extends ParseArgsConfig>(
  script: string,
  config: T,
): ReturnType<typeof parseArgs<T>>['values'] {
  try {
    return parseArgs(config).values;
  } catch (error) {
    return giveUp(script, `${messageOf(error)}\nsee npm run ${script} -- --help`);
  }
}
