import { inUse } from './internals.js';

/** Copies `size` bytes between the memory of two buffers. Wrong numbers end the process. */
type CopyMemory = (
  to: ArrayBufferLike,
  toOffset: number,
  from: ArrayBufferLike,
  fromOffset: number,
  size: number,
) => void;

let native: CopyMemory | undefined;

/** Node's own copy of memory; undefined if this Node does not have it. */
export function nativeCopy(): CopyMemory | undefined {
  if (native !== undefined) return native;
  // Node's own code uses it for streams. `process.binding` has no type, because it is deprecated.
  const binding: unknown = Reflect.get(process, 'binding');
  if (typeof binding !== 'function') return undefined;
  const found: unknown = (binding as (name: string) => unknown)('buffer');
  const copy: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, 'copyArrayBuffer') : undefined;
  if (typeof copy === 'function') native = copy as CopyMemory;
  return native;
}

const NO_BUFFER = Buffer.alloc(0);

/** A buffer, and its memory: each request for the memory of a buffer is a call out of compiled code. */
class Side {
  buffer: Buffer = NO_BUFFER;
  memory: ArrayBufferLike = NO_BUFFER.buffer;
  offset = 0;

  set(buffer: Buffer): void {
    this.buffer = buffer;
    this.memory = buffer.buffer;
    this.offset = buffer.byteOffset;
  }
}

/** The buffers of the last copy: many payloads in a row are in the same buffer, and go to the same one. */
const source = new Side();
const target = new Side();
let copyMemory: CopyMemory | undefined;

/**
 * The same as `from.copy(to, at, start, start + size)`, without an object for each copy if this internal is in use.
 *
 * @throws RangeError if `from` does not have these bytes, or `to` no room for them
 */
export function copyBytes(from: Buffer, start: number, size: number, to: Buffer, at: number): void {
  if (start < 0 || size < 0 || at < 0 || start + size > from.length || at + size > to.length) {
    throw new RangeError(`a copy of ${size} bytes from ${start} to ${at} is not within its buffers`);
  }
  if (from !== source.buffer) source.set(from);
  if (copyMemory === undefined) {
    to.set(new Uint8Array(source.memory, source.offset + start, size), at);
    return;
  }
  if (to !== target.buffer) target.set(to);
  copyMemory(target.memory, target.offset + at, source.memory, source.offset + start, size);
}

/** Call it from time to time: checks whether the internal is in use, and forgets the buffers of the last copy. */
export function renewCopies(): void {
  source.set(NO_BUFFER);
  target.set(NO_BUFFER);
  copyMemory = inUse('buffer copies') ? nativeCopy() : undefined;
}
