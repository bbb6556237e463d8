import type { ChildProcess } from 'node:child_process';

const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});
// The test runner ends a file that hangs with this.
process.once('SIGTERM', () => process.exit(143));

/** Sees to it that a process which a spec has started does not outlive the spec file, whatever goes wrong. */
export function reap<T extends ChildProcess>(child: T): T {
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}
