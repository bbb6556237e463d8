import { systemClock, type Clock, type Timer } from '../time/clock.js';

/** Unit that memory is given out in, bytes. */
export const PAGE = 4096;

/** Pages of a slab. */
const PAGES = 1024;

/**
 * 4 MiB of memory, given out in runs of pages. One large allocation is given back to the system as a whole, which thousands of
 * small ones of all sizes are not: the allocator keeps what lies between those that still live.
 *
 * The first and the last page of each run have its length in `tags`: above 0 if it is free, below if it is not.
 */
export class Slab {
  readonly memory = Buffer.allocUnsafeSlow(PAGES * PAGE);
  free = PAGES;
  /** Whether something was taken since {@link Slabs} looked last. */
  needed = false;
  /** No page before this one is free. */
  private first = 0;
  private readonly tags = new Int16Array(PAGES);
  /** No free run is longer, pages: what does not fit anyway is not looked for. */
  private longest = PAGES;

  constructor() {
    this.tag(0, PAGES, 1);
  }

  get isEmpty(): boolean {
    return this.free === PAGES;
  }

  /** The first page of a run of `pages`; undefined if there is no such run. */
  take(pages: number): number | undefined {
    if (pages > this.longest) return undefined;
    const { tags } = this;
    for (let at = this.first; at < PAGES;) {
      const length = tags[at] ?? 0;
      if (length >= pages) {
        this.tag(at, pages, -1);
        if (at === this.first) this.first = at + pages;
        if (length > pages) this.tag(at + pages, length - pages, 1);
        this.free -= pages;
        this.needed = true;
        return at;
      }
      at += Math.abs(length);
    }
    this.longest = pages - 1;
    return undefined;
  }

  /** Takes back the run that begins at page `at`, and joins it with free ones beside it; how many pages it had. */
  giveBack(at: number): number {
    const { tags } = this;
    let first = at;
    let length = -(tags[at] ?? 0);
    if (length <= 0) throw new Error(`page ${at} of a slab is no run that was taken`);
    const pages = length;
    this.free += pages;
    if (at < this.first) this.first = at;
    const before = first > 0 ? (tags[first - 1] ?? 0) : 0;
    if (before > 0) {
      first -= before;
      length += before;
    }
    const after = first + length < PAGES ? (tags[first + length] ?? 0) : 0;
    if (after > 0) length += after;
    this.tag(first, length, 1);
    if (length > this.longest) this.longest = length;
    return pages;
  }

  /** Takes back all but the first `pages` of the run that begins at page `at`; how many that were. */
  shorten(at: number, pages: number): number {
    const length = -(this.tags[at] ?? 0);
    const rest = length - pages;
    if (rest <= 0) return 0;
    this.tag(at, pages, -1);
    this.tag(at + pages, rest, -1);
    return this.giveBack(at + pages);
  }

  private tag(at: number, length: number, sign: 1 | -1): void {
    this.tags[at] = sign * length;
    this.tags[at + length - 1] = sign * length;
  }
}

/** Where a piece of memory lies. */
export interface Place {
  readonly slab: Slab;
  readonly page: number;
}

/** How often slabs that are not needed are looked for, ms. */
const TRIM_INTERVAL = 2000;

/** The slabs of a pool: as many as are needed, and have been within the last seconds. */
export class Slabs {
  private readonly all: Slab[] = [];
  private used = 0;
  private timer: Timer | undefined;

  constructor(private readonly clock: Clock = systemClock) {}

  /** Bytes of all slabs. */
  get bytes(): number {
    return this.all.length * PAGES * PAGE;
  }

  /** Bytes that are taken. */
  get usedBytes(): number {
    return this.used * PAGE;
  }

  /** @param pages 1 to 1024 */
  take(pages: number): Place {
    this.used += pages;
    // The first ones are filled first, so that the last ones become empty.
    for (const slab of this.all) {
      const page = slab.take(pages);
      if (page !== undefined) return { slab, page };
    }
    const slab = new Slab();
    this.all.push(slab);
    this.timer ??= this.trimLater();
    return { slab, page: slab.take(pages) ?? 0 };
  }

  giveBack({ slab, page }: Place): void {
    this.used -= slab.giveBack(page);
  }

  /** Takes back all but the first `pages` at a place. */
  shorten({ slab, page }: Place, pages: number): void {
    this.used -= slab.shorten(page, pages);
  }

  private trimLater(): Timer {
    return this.clock.after(TRIM_INTERVAL, () => this.trim(), false);
  }

  private trim(): void {
    for (const slab of [...this.all]) {
      if (slab.isEmpty && !slab.needed) this.all.splice(this.all.indexOf(slab), 1);
      slab.needed = false;
    }
    this.timer = this.all.length > 0 ? this.trimLater() : undefined;
  }
}
