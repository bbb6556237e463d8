import { KmpRtmpError } from '../../base/errors.js';
import { MAX_UPSTREAMS, type HeadLine } from './protocol.js';

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
  /** Upstreams by id, as they came. */
  readonly upstreams: ReadonlyMap<string, unknown>;
}

/** Longest text of another node that is shown. */
const MAX_TEXT = 300;

/** Reads the lines of an answer (see protocol.ts). Other fields and other kinds of lines are ignored. */
export class AnswerReader {
  private head: HeadLine | undefined;
  private value: unknown = undefined;
  private readonly upstreams = new Map<string, unknown>();
  private ended = false;
  private rest: Buffer[] = [];

  /** @param node the node that must answer */
  constructor(private readonly node: string) {}

  /** @throws PeerError */
  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      this.rest.push(chunk.subarray(from, end));
      this.line(this.rest.length === 1 ? (this.rest[0] ?? chunk) : Buffer.concat(this.rest));
      this.rest = [];
      from = end + 1;
    }
    if (from < chunk.length) this.rest.push(chunk.subarray(from));
  }

  /** @throws PeerError if the answer was cut */
  finish(): PeerAnswer {
    if (this.head === undefined || !this.ended) throw new PeerError('its answer was cut');
    return { head: this.head, value: this.value, upstreams: this.upstreams };
  }

  private line(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const line = parsed(bytes);
    if (line === undefined) throw new PeerError('its answer is not that of a node');
    if (this.head === undefined) this.head = this.headOf(line);
    else if (typeof line['id'] === 'string') this.upstream(line['id'], line['upstream']);
    else if ('value' in line) this.value = line['value'];
    else if ('failed' in line) throw new PeerError(failureOf(line['failed']));
    else if (line['end'] === true) this.ended = true;
  }

  private upstream(id: string, upstream: unknown): void {
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
