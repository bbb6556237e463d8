import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Bytes of all array buffers that somebody still refers to. */
export function heldBufferBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // The second round frees what the first one found to be the last owner of.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}
