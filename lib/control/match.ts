import vm from 'node:vm';
import { KmpRtmpError } from '../errors.js';

/**
 * ms that one pattern may take for one name. It is time on the wall, in which the process may not have run at all: whoever fails
 * the first time gets a second one.
 */
const LIMITS = [20, 200];

// A place of its own for the two values: scripts can be given a time limit, calls cannot.
const place = vm.createContext({ pattern: /(?:)/, name: '' });
const script = new vm.Script('pattern.exec(name)');

/**
 * `pattern.exec(name)`, which is given up after a while. Patterns come from the operator, names from senders: without a limit, one
 * ill-chosen pattern (`(a+)+$`) and one ill-meant name would stop the media of all upstreams.
 *
 * @throws KmpRtmpError `pattern_too_slow`
 */
export function matchWithin(pattern: RegExp, name: string): RegExpExecArray | null {
  Object.assign(place, { pattern, name });
  let cause: unknown;
  for (const timeout of LIMITS) {
    try {
      return script.runInContext(place, { timeout }) as RegExpExecArray | null;
    } catch (error) {
      cause = error;
    }
  }
  throw new KmpRtmpError(
    'pattern_too_slow',
    `the pattern ${pattern.source} takes too long for a name of ${name.length} characters; write it without repetitions ` +
      'inside of repetitions',
    { cause },
  );
}
