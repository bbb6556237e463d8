import { parseArgs } from 'node:util';

/** The options of `npm run SCRIPT -- [options]`. A wrong one ends the process with a message. */
export function readOptions(script, options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const names = Object.keys(options).map((name) => `--${name} VALUE`);
    return giveUp(script, `${error.message}\noptions: ${names.join(', ')}`);
  }
}

/** Ends the process with a message instead of a stack trace. */
export function giveUp(script, why) {
  console.error(`${script}: ${why}`);
  process.exit(1);
}
