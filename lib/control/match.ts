import vm from 'node:vm';
import { KmpRtmpError } from '../base/errors.js';

/** ms on the wall after which a match is interrupted. */
const SLICE = 20;
/** ms of computing that one name may cost. On the wall it may be far more: the process may not have run at all meanwhile. */
const BUDGET = 20;
/** A match that is begun anew this often is given up, whatever it has cost: nothing else runs in the meantime. */
const MAX_SLICES = 25;

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
  const before = process.cpuUsage();
  let cause: unknown;
  for (let slices = 0; slices < MAX_SLICES; slices++) {
    try {
      return script.runInContext(place, { timeout: SLICE }) as RegExpExecArray | null;
    } catch (error) {
      cause = error;
    }
    const { user, system } = process.cpuUsage(before);
    if (user + system >= BUDGET * 1000) break;
  }
  throw new KmpRtmpError(
    'pattern_too_slow',
    `the pattern ${pattern.source} takes too long for a name of ${name.length} characters; write it without repetitions ` +
      'inside of repetitions',
    { cause },
  );
}
