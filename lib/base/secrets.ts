import { maskIn } from './mask.js';

/** Parts with fewer characters are ordinary words or numbers, and may be in any text. */
const SHORTEST_PART = 8;
/** Above so many forms of secrets, those that were not added again since the last text was masked are forgotten. */
const MAX_KNOWN = 1000;
/** Lines of a header that contain credentials. */
const CREDENTIALS = /^(?:(?:proxy-)?authorization|cookie|[\w-]*(?:token|key|secret)[\w-]*):[ \t]*(.+?)[ \t]*$/gim;

/** What was learned from one text. */
interface Known {
  readonly forms: readonly string[];
  /** The number of the text that was masked when it was added last. */
  round: number;
}

/**
 * The secrets of one upstream, in all forms in which a server may repeat them. Everything that shows what a server
 * says masks it with this object: log, API, status page, top, metrics, notifications; and inspect, for those of a dump.
 */
export class Secrets {
  private readonly known = new Map<string, Known>();
  private size = 0;
  private round = 0;
  /** All forms; undefined after a change. */
  private all: readonly string[] | undefined;

  /** A stream name, with its query: the name itself, its parts between slashes, and the tokens of the query. */
  addName(name: string): void {
    this.add(`name ${name}`, () => {
      const bare = name.replace(/[?#].*$/s, '');
      const parts = bare.split('/').filter((part) => part.length >= SHORTEST_PART);
      return [name, bare, ...parts, ...tokensOf(name)];
    });
  }

  /** A user name or a password. */
  addLogin(text: string | undefined): void {
    if (text !== undefined) this.add(`login ${text}`, () => [text]);
  }

  /** An app or a URL that is not secret as a whole: the tokens of its query. */
  addTokensOf(text: string): void {
    this.add(`query ${text}`, () => tokensOf(text));
  }

  /** What is sent first on a connection: the values of lines with credentials, such as `Authorization`. */
  addHeader(header: string): void {
    this.add(`header ${header}`, () => {
      const values = [...header.matchAll(CREDENTIALS)].map(([, value = '']) => value);
      const parts = values.flatMap((value) => value.split(/[\s;,=]+/));
      return [...values, ...parts.filter((part) => part.length >= SHORTEST_PART)];
    });
  }

  /** Replaces all secrets in `text` (see `maskIn`). What was added for this text is never forgotten before. */
  mask(text: string): string {
    this.forgetOld();
    this.round++;
    this.all ??= [...this.known.values()].flatMap(({ forms }) => forms);
    return maskIn(text, this.all).replaceAll(/\buser=[^&\s\]]*/g, 'user=***');
  }

  private add(entry: string, texts: () => readonly string[]): void {
    const { known, round } = this;
    const before = known.get(entry);
    if (before !== undefined) {
      before.round = round;
      return;
    }
    const forms = [...new Set(texts().flatMap(formsOf))].filter((form) => form !== '');
    known.set(entry, { forms, round });
    this.size += forms.length;
    this.all = undefined;
  }

  private forgetOld(): void {
    for (const [entry, { forms, round }] of this.known) {
      if (this.size <= MAX_KNOWN && this.known.size <= MAX_KNOWN) return;
      if (round === this.round) continue;
      this.known.delete(entry);
      this.size -= forms.length;
      this.all = undefined;
    }
  }
}

/** The values of the query of a text that may be tokens. A virtual host is none. */
function tokensOf(text: string): string[] {
  const at = text.search(/[?#]/);
  if (at < 0) return [];
  return text
    .slice(at + 1)
    .split(/[&?#]/)
    .filter((part) => !part.startsWith('vhost='))
    .map((part) => part.slice(part.indexOf('=') + 1))
    .filter((value) => value.length >= SHORTEST_PART);
}

/**
 * Servers repeat a text as it was sent, without its percent-encoding, or with percent-encoding of their own, whose
 * digits may be in lower case.
 */
function formsOf(text: string): string[] {
  const plain = decoded(text);
  const forms = [text, plain];
  try {
    for (const encoded of [encodeURIComponent(plain), encodeURI(plain)]) {
      forms.push(
        encoded,
        encoded.replaceAll(/%[\dA-F]{2}/g, (code) => code.toLowerCase()),
      );
    }
  } catch {
    // Half of a surrogate pair has no percent-encoding.
  }
  return forms;
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
