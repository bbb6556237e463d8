import { RtmpError } from '../errors.js';

/** A decoded AMF0 value. XML documents become strings, "unsupported" becomes undefined. */
export type AmfValue = number | boolean | string | null | undefined | Date | AmfValue[] | AmfRecord;

/**
 * An object, a typed object or an ECMA array. It has no prototype, so that a key such as `__proto__` is an ordinary
 * key.
 */
export interface AmfRecord {
  [key: string]: AmfValue;
}

export interface AmfLimits {
  /** Deepest nesting of objects and arrays; default 16. */
  readonly maxDepth?: number;
  /** Most values in all, including nested ones and those that references repeat; default 65536. */
  readonly maxValues?: number;
}

const Marker = {
  number: 0x00,
  boolean: 0x01,
  string: 0x02,
  object: 0x03,
  null: 0x05,
  undefined: 0x06,
  reference: 0x07,
  ecmaArray: 0x08,
  objectEnd: 0x09,
  strictArray: 0x0a,
  date: 0x0b,
  longString: 0x0c,
  unsupported: 0x0d,
  xmlDocument: 0x0f,
  typedObject: 0x10,
} as const;

/**
 * An object or array that a reference may name. `values` is the number of values that a repetition adds; 0 while the
 * object is incomplete.
 */
interface Referable {
  readonly value: AmfValue[] | AmfRecord;
  values: number;
}

/**
 * Reads AMF0 values one by one from untrusted bytes. Each call returns a value, or throws RtmpError `rtmp_bad_amf`: the
 * input is too short, the type is unknown or not allowed there, or a limit is exceeded. Memory is bounded by the size
 * of the input and the limits.
 */
export class Amf0Reader {
  /** Offset of the next value. */
  offset = 0;
  private valuesLeft: number;
  private readonly maxDepth: number;
  private readonly referables: Referable[] = [];

  constructor(
    private readonly bytes: Buffer,
    limits: AmfLimits = {},
  ) {
    this.maxDepth = limits.maxDepth ?? 16;
    this.valuesLeft = limits.maxValues ?? 65536;
  }

  get atEnd(): boolean {
    return this.offset >= this.bytes.length;
  }

  /** @throws RtmpError `rtmp_bad_amf` */
  next(): AmfValue {
    return this.value(0);
  }

  private value(depth: number): AmfValue {
    this.count(1);
    const at = this.offset;
    const marker = this.byte();
    switch (marker) {
      case Marker.number:
        return this.bytes.readDoubleBE(this.take(8));
      case Marker.boolean:
        return this.byte() !== 0;
      case Marker.string:
        return this.text(this.bytes.readUInt16BE(this.take(2)));
      case Marker.longString:
      case Marker.xmlDocument:
        return this.text(this.uint32());
      case Marker.null:
        return null;
      case Marker.undefined:
      case Marker.unsupported:
        return undefined;
      case Marker.date:
        return this.date();
      case Marker.reference:
        return this.reference(at);
      case Marker.strictArray:
        return this.array(depth);
      case Marker.ecmaArray:
        // The count is only a hint, which some writers leave at 0: the end marker decides.
        this.uint32();
        return this.record(depth);
      case Marker.typedObject:
        this.text(this.bytes.readUInt16BE(this.take(2)));
        return this.record(depth);
      case Marker.object:
        return this.record(depth);
      default:
        throw new RtmpError('rtmp_bad_amf', `AMF0 type ${marker} at byte ${at} is unknown or not allowed here`);
    }
  }

  private record(depth: number): AmfRecord {
    const record = Object.create(null) as AmfRecord;
    const close = this.open(record, depth);
    for (;;) {
      const key = this.text(this.bytes.readUInt16BE(this.take(2)));
      if (key === '' && this.bytes[this.offset] === Marker.objectEnd) break;
      record[key] = this.value(depth + 1);
    }
    this.offset++;
    close();
    return record;
  }

  private array(depth: number): AmfValue[] {
    const length = this.uint32();
    const array: AmfValue[] = [];
    const close = this.open(array, depth);
    // Nothing is allocated in advance: a false length runs out of bytes, or of values, first.
    for (let i = 0; i < length; i++) array.push(this.value(depth + 1));
    close();
    return array;
  }

  private open(value: AmfValue[] | AmfRecord, depth: number): () => void {
    if (depth >= this.maxDepth) {
      throw new RtmpError('rtmp_bad_amf', `AMF0 nested deeper than ${this.maxDepth} levels, at byte ${this.offset}`);
    }
    const referable: Referable = { value, values: 0 };
    this.referables.push(referable);
    const before = this.valuesLeft;
    return () => {
      referable.values = before - this.valuesLeft + 1;
    };
  }

  private reference(at: number): AmfValue {
    const index = this.bytes.readUInt16BE(this.take(2));
    const found = this.referables[index];
    if (found === undefined || found.values === 0) {
      throw new RtmpError('rtmp_bad_amf', `AMF0 reference ${index} at byte ${at} names nothing that is complete`);
    }
    // Counts as if the value stood here again, so that walking the result is bounded. One value is counted already.
    this.count(found.values - 1);
    return found.value;
  }

  private date(): Date {
    const at = this.take(10);
    return new Date(this.bytes.readDoubleBE(at));
  }

  private text(length: number): string {
    const at = this.take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  private byte(): number {
    return this.bytes.readUInt8(this.take(1));
  }

  private uint32(): number {
    return this.bytes.readUInt32BE(this.take(4));
  }

  private count(values: number): void {
    this.valuesLeft -= values;
    if (this.valuesLeft < 0)
      throw new RtmpError('rtmp_bad_amf', `more AMF0 values than are accepted, at byte ${this.offset}`);
  }

  /** Skips `size` bytes and returns where they begin. */
  private take(size: number): number {
    const at = this.offset;
    if (size > this.bytes.length - at) {
      throw new RtmpError(
        'rtmp_bad_amf',
        `AMF0 ends within a value: ${size} bytes are needed at byte ${at} of ${this.bytes.length}`,
      );
    }
    this.offset = at + size;
    return at;
  }
}

/**
 * Reads all values of a command or data message.
 *
 * @throws RtmpError `rtmp_bad_amf`
 */
export function readAmf0(bytes: Buffer, limits?: AmfLimits): AmfValue[] {
  const reader = new Amf0Reader(bytes, limits);
  const values: AmfValue[] = [];
  while (!reader.atEnd) values.push(reader.next());
  return values;
}

/** The value, if it is an object or ECMA array. */
export function asRecord(value: AmfValue): AmfRecord | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) return undefined;
  return value;
}
