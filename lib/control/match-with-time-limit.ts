import vm from 'node:vm';
import { KmpRtmpError } from '../base/errors.js';

/** Wall-clock time after which a match is interrupted, in ms. */
const SLICE_MS = 20;
/**
 * CPU time that one match may use, in ms. Its wall-clock time can be much longer if the process does not get the CPU.
 */
const CPU_BUDGET_MS = 20;
/** Maximum number of attempts, regardless of their CPU time. They block the event loop. */
const MAX_SLICES = 25;

// A script in its own context can have a time limit; a function call cannot.
const sandbox = vm.createContext({ pattern: /(?:)/, name: '' });
const script = new vm.Script('pattern.exec(name)');

/**
 * `pattern.exec(name)` with a time limit. Patterns come from the operator, names from senders. Without a limit, a bad
 * pattern (`(a+)+$`) and a hostile name could block the event loop and with it the media of all upstreams.
 *
 * @throws KmpRtmpError `pattern_too_slow`
 */
export function matchWithTimeLimit(pattern: RegExp, name: string): RegExpExecArray | null {
  Object.assign(sandbox, { pattern, name });
  const before = process.cpuUsage();
  let cause: unknown;
  for (let slices = 0; slices < MAX_SLICES; slices++) {
    try {
      return script.runInContext(sandbox, { timeout: SLICE_MS }) as RegExpExecArray | null;
    } catch (error) {
      cause = error;
    }
    const { user, system } = process.cpuUsage(before);
    if (user + system >= CPU_BUDGET_MS * 1000) break;
  }
  throw new KmpRtmpError(
    'pattern_too_slow',
    `the pattern ${pattern.source} takes too long for a name of ${name.length} characters; avoid nested ` +
      'repetitions in the pattern',
    { cause },
  );
}
