/** The thread that tries: it may hang or run out of memory, and the one that started it sees that. */
import { parentPort, workerData } from 'node:worker_threads';
import { fuzzTarget, type Budget } from './fuzz-target.js';
import { LONGEST_INPUT } from './mutate.js';
import { targets } from './targets.js';

/** What the thread is given. `shared`: count of cases u32, length of the present input u32, the input. */
export interface WorkerData {
  readonly target: string;
  readonly budget: Budget;
  readonly shared: SharedArrayBuffer;
}

const { target: name, budget, shared } = workerData as WorkerData;
const target = targets.find((one) => one.name === name);
if (target === undefined) throw new Error(`there is no target ${name}`);
const numbers = new Uint32Array(shared, 0, 2);
const bytes = new Uint8Array(shared, 8);

const tried = await fuzzTarget(target, budget, (input) => {
  bytes.set(input.subarray(0, LONGEST_INPUT * 2));
  Atomics.store(numbers, 1, Math.min(input.length, LONGEST_INPUT * 2));
  Atomics.add(numbers, 0, 1);
});
parentPort?.postMessage(tried);
