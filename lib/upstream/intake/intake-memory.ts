/** Bytes that an open connection needs beside what it has sent: 22 KB were measured (docs/reliability.md). */
const CONNECTION = 24 * 1024;
/** Share of the memory of the process that connections may use before they belong to an upstream. */
const SHARE = 0.15;

/**
 * The memory of all KMP connections of a process that do not belong to an upstream yet. Each one has a limit
 * (`kmp_rtmp_in_mem_limit`), but thousands of them together could use more than a container has.
 */
export class IntakeMemory {
  /** Bytes. */
  used = 0;
  private readonly limit: number;

  /** @param memLimit bytes that the process may use; Infinity: no limit */
  constructor(memLimit: number) {
    this.limit = memLimit * SHARE;
  }

  /** Why no further connection may begin; undefined if one may. */
  get refusal(): string | undefined {
    if (this.used + CONNECTION <= this.limit) return undefined;
    return `connections without connect data use ${this.used} bytes, which is too much for this process (kmp_rtmp_mem_limit)`;
  }

  /** The share of a connection that begins. */
  enter(): IntakeShare {
    return new IntakeShare(this);
  }

  /** Returns false, and changes nothing, if `bytes` more are too much. */
  add(bytes: number): boolean {
    if (bytes > 0 && this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
}

/** What one connection uses of the {@link IntakeMemory}. */
export class IntakeShare {
  private bytes = CONNECTION;

  constructor(private readonly memory: IntakeMemory) {
    memory.used += CONNECTION;
  }

  /**
   * The connection holds so many bytes that it has received.
   *
   * @returns false if all connections together hold too many
   */
  hold(received: number): boolean {
    const bytes = CONNECTION + received;
    if (this.bytes === 0 || !this.memory.add(bytes - this.bytes)) return this.bytes === 0;
    this.bytes = bytes;
    return true;
  }

  /** The connection belongs to an upstream, or has ended. */
  release(): void {
    this.memory.add(-this.bytes);
    this.bytes = 0;
  }
}
