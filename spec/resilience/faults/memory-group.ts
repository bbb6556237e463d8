import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { messageOf } from '../../../lib/base/errors.js';

/** Names of files of a memory cgroup. */
interface Files {
  readonly limit: string;
  readonly peak: string;
  readonly events: string;
}

const V1: Files = { limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes', events: 'memory.oom_control' };
const V2: Files = { limit: 'memory.max', peak: 'memory.peak', events: 'memory.events' };

/** The memory limit of a container: a cgroup of version 1 or 2 below the one that this process is in. */
export class MemoryGroup {
  private constructor(
    private readonly path: string,
    private readonly files: Files,
  ) {}

  /** Returns why no cgroup can be made here, if none can. It needs root, and a cgroup file system that is writable. */
  static create(bytes: number): MemoryGroup | string {
    try {
      const own = readFileSync('/proc/self/cgroup', 'utf8');
      const v1 = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(own)?.[1];
      const v2 = /^0::(.*)$/m.exec(own)?.[1] ?? '/';
      const parent = v1 === undefined ? `/sys/fs/cgroup${v2}` : `/sys/fs/cgroup/memory${v1}`;
      if (v1 === undefined) writeFileSync(`${parent}/cgroup.subtree_control`, '+memory');
      const path = `${parent.replace(/\/$/, '')}/kmp-rtmp-${process.pid}`;
      mkdirSync(path);
      const group = new MemoryGroup(path, v1 === undefined ? V2 : V1);
      try {
        writeFileSync(`${path}/${group.files.limit}`, String(bytes));
      } catch (error) {
        group.remove();
        throw error;
      }
      return group;
    } catch (error) {
      return `no memory cgroup can be made here: ${messageOf(error)}`;
    }
  }

  /** Starts a program inside. */
  get wrapper(): readonly [string, ...string[]] {
    return ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.path];
  }

  /** Most bytes that were in use, with the kernel's buffers for it. */
  get peak(): number {
    return Number(readFileSync(`${this.path}/${this.files.peak}`, 'utf8'));
  }

  /** How many processes the kernel has killed. */
  get kills(): number {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(`${this.path}/${this.files.events}`, 'utf8'))?.[1] ?? 0);
  }

  /** Its processes have ended. */
  remove(): void {
    rmdirSync(this.path);
  }
}
