import { KmpRtmpError } from '../../base/errors.js';
import { systemClock } from '../../time/clock.js';
import { turnShareOf } from '../../time/turn-share.js';
import type { UpstreamStatus } from '../../upstream/report/status.js';
import { LineReader } from './line-reader.js';
import { MAX_ITEMS, MAX_LINE, MAX_UPSTREAMS, MAX_VALUES, type HeadLine } from './protocol.js';
import { upstreamFrom } from './status-shapes.js';

/** A node does not answer, or not as a node of this fleet does. The message is for people. */
export class PeerError extends KmpRtmpError {
  /** @param slow it has not answered in time; another question would wait as long */
  constructor(
    message: string,
    readonly slow = false,
    options?: { readonly cause?: unknown },
  ) {
    super('peer_unavailable', message, options);
  }
}

/** The answer of a node. */
export interface PeerAnswer {
  readonly head: HeadLine;
  /** undefined: there is none. */
  readonly value: unknown;
  /** The items of a list, as they came. */
  readonly items: readonly unknown[];
  /** Upstreams by id, in the form of this version. */
  readonly upstreams: ReadonlyMap<string, UpstreamStatus>;
}

/** Longest text of another node that is shown. */
const MAX_TEXT = 300;
/** Lines that are read in one piece of work. */
const AT_ONCE = 16;

/**
 * Reads the lines of an answer (see protocol.ts). Other fields and other kinds of lines are ignored. The work is shared
 * out over turns of the event loop, because another program may answer in place of the node.
 */
export class AnswerReader {
  private head: HeadLine | undefined;
  private value: unknown = undefined;
  private readonly items: unknown[] = [];
  private readonly upstreams = new Map<string, UpstreamStatus>();
  private values = 0;
  private ended = false;
  private readonly lines = new LineReader();

  /** @param node the node that must answer */
  constructor(private readonly node: string) {}

  /** @throws PeerError */
  async push(chunk: Buffer): Promise<void> {
    await turnShareOf(systemClock).inParts(this.lines.take(chunk), AT_ONCE, (line) => this.line(line));
    if (this.lines.pending > MAX_LINE) throw tooLong();
  }

  /** @throws PeerError if the answer was cut */
  finish(): PeerAnswer {
    if (this.head === undefined || !this.ended) throw new PeerError('its answer was cut');
    return { head: this.head, value: this.value, items: this.items, upstreams: this.upstreams };
  }

  private line(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (bytes.length > MAX_LINE) throw tooLong();
    this.values += valuesIn(bytes);
    if (this.values > MAX_VALUES) throw new PeerError(`its answer has more than ${MAX_VALUES} values`);
    const line = parsed(bytes);
    if (line === undefined) throw new PeerError('its answer is not that of a node');
    if (this.head === undefined) this.head = this.headOf(line);
    else if (typeof line['id'] === 'string') this.upstream(line['id'], line['upstream']);
    else if ('item' in line) this.item(line['item']);
    else if ('value' in line) this.value = line['value'];
    else if ('failed' in line) throw new PeerError(failureOf(line['failed']));
    else if (line['end'] === true) this.ended = true;
  }

  private item(item: unknown): void {
    this.items.push(item);
    if (this.items.length > MAX_ITEMS) throw new PeerError(`its answer has more than ${MAX_ITEMS} items`);
  }

  private upstream(id: string, value: unknown): void {
    const upstream = upstreamFrom(value);
    if (upstream === undefined) return;
    this.upstreams.set(id, upstream);
    if (this.upstreams.size > MAX_UPSTREAMS) throw new PeerError(`its answer has more than ${MAX_UPSTREAMS} upstreams`);
  }

  private headOf({ node, version, orders }: Fields): HeadLine {
    if (typeof node !== 'string' || typeof version !== 'string') {
      throw new PeerError('its answer is not that of a node');
    }
    if (node !== this.node) throw new PeerError(`another node answers at its address: ${shown(node)}`);
    return { node, version: shown(version), orders: typeof orders === 'string' ? orders : '' };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function tooLong(): PeerError {
  return new PeerError(`its answer has a line of more than ${MAX_LINE} bytes`);
}

/** At least the number of values in a line: each follows a comma, or the beginning of a list or an object. */
function valuesIn(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) count++;
  return count;
}

function parsed(bytes: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function failureOf(failed: unknown): string {
  const message: unknown = typeof failed === 'object' && failed !== null ? Reflect.get(failed, 'message') : undefined;
  return typeof message === 'string' ? shown(message) : 'it could not answer';
}

/** A text of another node, for a message: of bounded length, on one line. */
export function shown(text: string): string {
  const line = text.replace(/\p{C}+/gu, ' ');
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}
