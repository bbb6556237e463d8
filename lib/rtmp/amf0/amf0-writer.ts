/** A value to be written. A Map becomes an ECMA array, a plain object becomes an object. */
export type Amf0Value = number | string | boolean | null | Map<string, Amf0Value> | Amf0Value[] | Amf0Object;
export interface Amf0Object {
  readonly [key: string]: Amf0Value;
}

const Marker = {
  number: 0x00,
  boolean: 0x01,
  string: 0x02,
  object: 0x03,
  null: 0x05,
  ecmaArray: 0x08,
  objectEnd: 0x09,
  strictArray: 0x0a,
  longString: 0x0c,
} as const;

function key(name: string, out: Buffer[]): void {
  const text = Buffer.from(name, 'utf8').subarray(0, 0xffff);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(text.length);
  out.push(size, text);
}

function pairs(entries: Iterable<[string, Amf0Value]>, out: Buffer[]): void {
  for (const [name, item] of entries) {
    key(name, out);
    value(item, out);
  }
  out.push(Buffer.from([0, 0, Marker.objectEnd]));
}

function count(marker: number, n: number): Buffer {
  const head = Buffer.alloc(5);
  head[0] = marker;
  head.writeUInt32BE(n, 1);
  return head;
}

function value(item: Amf0Value, out: Buffer[]): void {
  if (typeof item === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(item, 1);
    out.push(bytes);
  } else if (typeof item === 'string') {
    const text = Buffer.from(item, 'utf8');
    if (text.length > 0xffff) {
      out.push(count(Marker.longString, text.length), text);
    } else {
      out.push(Buffer.from([Marker.string]));
      key(item, out);
    }
  } else if (typeof item === 'boolean') {
    out.push(Buffer.from([Marker.boolean, item ? 1 : 0]));
  } else if (item === null) {
    out.push(Buffer.from([Marker.null]));
  } else if (item instanceof Map) {
    out.push(count(Marker.ecmaArray, item.size));
    pairs(item, out);
  } else if (Array.isArray(item)) {
    out.push(count(Marker.strictArray, item.length));
    for (const element of item) value(element, out);
  } else {
    out.push(Buffer.from([Marker.object]));
    pairs(Object.entries(item), out);
  }
}

/** The AMF0 bytes of `items` in order: the body of a command or data message. */
export function writeAmf0(...items: Amf0Value[]): Buffer {
  const out: Buffer[] = [];
  for (const item of items) value(item, out);
  return Buffer.concat(out);
}
