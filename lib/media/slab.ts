import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { systemClock, type Clock, type Timer } from '../time/clock.js';

/** Unit of allocation, bytes. */
export const PAGE = 4096;

/** Pages of a slab. */
const PAGES = 1024;

/**
 * 4 MiB of memory, allocated in runs of pages. One large allocation returns to the operating system as a whole.
 * Thousands of small ones of all sizes do not: the allocator keeps the gaps between those that are still in use.
 *
 * The first and the last page of each run hold its length in `tags`: positive if the run is free, negative if it is
 * in use.
 */
export class Slab {
  readonly memory = Buffer.allocUnsafeSlow(PAGES * PAGE);
  /** The same memory, to read numbers of 32 bits from it: V8 makes an object for some results of a Buffer's methods. */
  readonly view = new DataView(this.memory.buffer, this.memory.byteOffset, this.memory.length);
  freePages = PAGES;
  /** True if something was allocated since the last trim. */
  usedSinceTrim = false;
  /** Trims in sequence at which it was empty, and had not been used since the trim before. */
  unusedTrims = 0;
  /** All pages before this one are in use. */
  private first = 0;
  private readonly tags = new Int16Array(PAGES);
  /** Upper bound for the length of free runs, pages: a larger request is not searched for. */
  private longest = PAGES;

  constructor() {
    this.tag(0, PAGES, 1);
  }

  get isEmpty(): boolean {
    return this.freePages === PAGES;
  }

  /**
   * Gives the memory back at once. The garbage collector would do that later, perhaps after new slabs have been
   * allocated. Nothing may refer to the memory.
   */
  free(): void {
    // A transfer takes the memory away from this buffer, and a message to a closed port is discarded.
    closedPort().postMessage(undefined, [this.memory.buffer as ArrayBuffer]);
  }

  /** Allocates a run of `pages`, and returns its first page; undefined if no free run is long enough. */
  take(pages: number): number | undefined {
    if (pages > this.longest) return undefined;
    const { tags } = this;
    for (let at = this.first; at < PAGES;) {
      const length = tags[at] ?? 0;
      if (length >= pages) {
        this.tag(at, pages, -1);
        if (at === this.first) this.first = at + pages;
        if (length > pages) this.tag(at + pages, length - pages, 1);
        this.freePages -= pages;
        this.usedSinceTrim = true;
        return at;
      }
      at += Math.abs(length);
    }
    this.longest = pages - 1;
    return undefined;
  }

  /** Releases the run that begins at page `at`, and joins it with free neighbours. Returns its number of pages. */
  release(at: number): number {
    const { tags } = this;
    let first = at;
    let length = -(tags[at] ?? 0);
    if (length <= 0) throw new Error(`page ${at} of a slab is not the beginning of a run in use`);
    const pages = length;
    this.freePages += pages;
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

  /** Releases all but the first `pages` of the run that begins at page `at`. Returns the number of released pages. */
  shorten(at: number, pages: number): number {
    const length = -(this.tags[at] ?? 0);
    const rest = length - pages;
    if (rest <= 0) return 0;
    this.tag(at, pages, -1);
    this.tag(at + pages, rest, -1);
    return this.release(at + pages);
  }

  private tag(at: number, length: number, sign: 1 | -1): void {
    this.tags[at] = sign * length;
    this.tags[at + length - 1] = sign * length;
  }
}

let closed: MessagePort | undefined;

function closedPort(): MessagePort {
  if (closed === undefined) {
    closed = new MessageChannel().port1;
    closed.close();
  }
  return closed;
}

// V8 compiles all code that uses typed arrays for "no memory was ever taken away from a buffer", until the first time.
// All of that code is then compiled again. Without this line, that would happen seconds after the start, under load.
closedPort().postMessage(undefined, [new ArrayBuffer(1)]);

/** A run of pages in a slab; no slab: there is none. An owner uses the same object again for its next run. */
export interface Place {
  slab: Slab | undefined;
  page: number;
}

/** Interval of the search for unused slabs, ms. */
const TRIM_INTERVAL = 2000;

/** Slabs were freed too early if `slabs` new ones are needed within so many trims. A few cost nothing. */
const TOO_EARLY = { trims: 5, slabs: 8 } as const;

/** The most trims for which a slab is kept unused. */
const LONGEST = 16;

/** After so many trims without slabs that were freed too early, slabs are freed at once again. */
const FORGETS_AFTER = 60;

/**
 * The slabs of a pool: as many as are in use, or were in the last seconds.
 *
 * Written frames that are kept from a key frame to the next one, for many upstreams at once, need twice as much memory
 * at one moment as at another. If slabs were freed each time, V8 would collect the whole heap for each 64 MB of new
 * ones: two thirds of the CPU at 200 upstreams (docs/performance.md). So the time for which an unused slab is kept
 * doubles whenever some were freed too early.
 */
export class Slabs {
  private readonly all: Slab[] = [];
  private used = 0;
  /** Trims for which a slab is kept unused. */
  private keep = 1;
  /** Trims since a slab was freed, and since slabs were freed too early. */
  private sinceFreed = Infinity;
  private sinceTooEarly = 0;
  /** New slabs since one was freed. */
  private newSlabs = 0;
  private timer: Timer | undefined;

  constructor(private readonly clock: Clock = systemClock) {}

  /** Bytes of all slabs. */
  get bytes(): number {
    return this.all.length * PAGES * PAGE;
  }

  /** Bytes in use. */
  get usedBytes(): number {
    return this.used * PAGE;
  }

  /**
   * Allocates a run.
   *
   * @param pages 1 to 1024
   * @param place is set to the run
   */
  take(pages: number, place: Place): void {
    if (this.takeFree(pages, place)) return;
    const slab = new Slab();
    this.all.push(slab);
    if (++this.newSlabs >= TOO_EARLY.slabs && this.sinceFreed < TOO_EARLY.trims) {
      // Once for each time that slabs were freed.
      this.sinceFreed = Infinity;
      this.sinceTooEarly = 0;
      this.keep = Math.min(LONGEST, this.keep * 2);
    }
    this.timer ??= this.trimLater();
    this.set(place, slab, slab.take(pages) ?? 0, pages);
  }

  /** Like {@link take}, but allocates no slab: returns false if the present ones have no room. */
  takeFree(pages: number, place: Place): boolean {
    const { all } = this;
    // The first slabs are filled first, so that the last ones become empty.
    for (let i = 0; i < all.length; i++) {
      const slab = all[i];
      const page = slab?.take(pages);
      if (slab === undefined || page === undefined) continue;
      this.set(place, slab, page, pages);
      return true;
    }
    return false;
  }

  /** Releases a run. A second call does nothing. */
  release(place: Place): void {
    const { slab } = place;
    if (slab === undefined) return;
    place.slab = undefined;
    this.used -= slab.release(place.page);
  }

  /** Releases all but the first `pages` of a run. */
  shorten({ slab, page }: Place, pages: number): void {
    if (slab !== undefined) this.used -= slab.shorten(page, pages);
  }

  private set(place: Place, slab: Slab, page: number, pages: number): void {
    place.slab = slab;
    place.page = page;
    this.used += pages;
  }

  private trimLater(): Timer {
    return this.clock.after(TRIM_INTERVAL, () => this.trim(), false);
  }

  private trim(): void {
    this.sinceFreed++;
    if (++this.sinceTooEarly > FORGETS_AFTER) this.keep = 1;
    for (const slab of [...this.all]) {
      slab.unusedTrims = slab.isEmpty && !slab.usedSinceTrim ? slab.unusedTrims + 1 : 0;
      slab.usedSinceTrim = false;
      if (slab.unusedTrims < this.keep) continue;
      this.all.splice(this.all.indexOf(slab), 1);
      slab.free();
      this.sinceFreed = 0;
      this.newSlabs = 0;
    }
    this.timer = this.all.length > 0 ? this.trimLater() : undefined;
  }
}
