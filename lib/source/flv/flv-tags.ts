import type { FileHandle } from 'node:fs/promises';
import { FileReader } from '../file-reader.js';

/** Tag types of an FLV file. */
export const Tag = { AUDIO: 8, VIDEO: 9, SCRIPT: 18 } as const;

/** type, data size u24, time u24, upper byte of the time, stream id u24: big-endian. */
const TAG_HEADER = 11;
/** Follows each tag, and precedes the first: the size of the tag before it. */
const BACK_POINTER = 4;
const FILE_HEADER = 9;
/** A larger size is damage: no program writes such tags. */
const MAX_TAG = 16 * 1024 * 1024;

/** One tag of an FLV file. */
export interface FlvTag {
  readonly type: number;
  /** dts in ms. */
  readonly time: number;
  /** Offset in the file. */
  readonly offset: number;
  readonly body: Buffer;
}

/** True for the first bytes of an FLV file. */
export function isFlv(head: Buffer): boolean {
  return head.length >= FILE_HEADER && head.toString('latin1', 0, 3) === 'FLV';
}

/** Reads bytes in order: a file, or a pipe. */
export interface TagReader {
  /** Offset of the next byte. */
  position: number;
  /** The next `size` bytes; fewer at the end. */
  read(size: number): Promise<Buffer>;
}

/** The tags of a pipe, from its header on, until it ends or is damaged; see {@link flvTags}. */
export async function* pipeTags(reader: TagReader, onDamage: (what: string) => void): AsyncGenerator<FlvTag> {
  const head = await reader.read(FILE_HEADER);
  const rest = (head.length < FILE_HEADER ? FILE_HEADER : head.readUInt32BE(5)) - FILE_HEADER;
  await reader.read(Math.max(0, Math.min(rest, MAX_TAG)) + BACK_POINTER);
  for (;;) {
    const offset = reader.position;
    const tag = await reader.read(TAG_HEADER);
    if (tag.length === 0) return;
    const damage = damageOf(tag, offset);
    if (damage !== undefined) return onDamage(damage);
    const length = tag.readUIntBE(1, 3);
    const body = await reader.read(length);
    if (body.length < length) return onDamage(middle(offset));
    yield { type: (tag[0] ?? 0) & 0x1f, time: timeOf(tag), offset, body };
    await reader.read(BACK_POINTER);
  }
}

/** What is wrong with the header of a tag. */
function damageOf(head: Buffer, offset: number): string | undefined {
  if (head.length < TAG_HEADER) return middle(offset);
  const type = (head[0] ?? 0) & 0x1f;
  const length = head.readUIntBE(1, 3);
  const known = type === Tag.AUDIO || type === Tag.VIDEO || type === Tag.SCRIPT;
  if (known && length <= MAX_TAG) return undefined;
  const what = known ? `a tag of ${length} bytes` : `no tag, but type ${type}`;
  return `is damaged at byte ${offset}: there is ${what}; the rest is left out`;
}

function middle(offset: number): string {
  return `ends in the middle of the tag at byte ${offset}`;
}

/**
 * The tags of the wanted types, in order. A truncated or damaged file gives all tags before the damage; `onDamage` is
 * called with what is wrong and at which byte.
 *
 * @param from offset of a tag, 0 for the first
 */
export async function* flvTags(
  handle: FileHandle,
  from: number,
  wanted: (type: number) => boolean,
  onDamage: (what: string) => void,
): AsyncGenerator<FlvTag> {
  const reader = new FileReader(handle, from);
  if (from === 0) {
    const head = await reader.read(FILE_HEADER);
    reader.position = (head.length < FILE_HEADER ? FILE_HEADER : head.readUInt32BE(5)) + BACK_POINTER;
  }
  const { size } = await handle.stat();
  for (;;) {
    const offset = reader.position;
    const head = await reader.read(TAG_HEADER);
    if (head.length === 0) return;
    const damage = damageOf(head, offset);
    if (damage !== undefined) return onDamage(damage);
    const type = (head[0] ?? 0) & 0x1f;
    const length = head.readUIntBE(1, 3);
    if (offset + TAG_HEADER + length > size) return onDamage(middle(offset));
    if (wanted(type)) yield { type, time: timeOf(head), offset, body: await reader.read(length) };
    else reader.skip(length);
    reader.skip(BACK_POINTER);
  }
}

/** dts in ms of the last tag; undefined if the file does not end with a complete tag. */
export async function lastTime(handle: FileHandle): Promise<number | undefined> {
  const { size } = await handle.stat();
  if (size < FILE_HEADER + BACK_POINTER + TAG_HEADER + BACK_POINTER) return undefined;
  const back = (await new FileReader(handle, size - BACK_POINTER).read(BACK_POINTER)).readUInt32BE(0);
  const at = size - BACK_POINTER - back;
  if (at < FILE_HEADER || back < TAG_HEADER) return undefined;
  const head = await new FileReader(handle, at).read(TAG_HEADER);
  return head.readUIntBE(1, 3) + TAG_HEADER === back ? timeOf(head) : undefined;
}

function timeOf(head: Buffer): number {
  return head.readUIntBE(4, 3) + (head[7] ?? 0) * 0x1000000;
}
