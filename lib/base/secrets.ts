import { maskIn } from './mask.js';

/** Parts with fewer characters are ordinary words or numbers, and may be in any text. */
const SHORTEST_PART = 8;
/** Most secrets that are known; the one that was added first is forgotten. */
const MAX_KNOWN = 1000;
/** Lines of a header that contain credentials. */
const CREDENTIALS = /^(?:(?:proxy-)?authorization|cookie|[\w-]*(?:token|key|secret)[\w-]*):[ \t]*(.+?)[ \t]*$/gim;

/**
 * The secrets of one upstream, in all forms in which a server may repeat them. Everything that shows what a server
 * says masks it with this object: log, API, status page, top, metrics, notifications; and inspect, for those of a dump.
 */
export class Secrets {
  private readonly forms = new Set<string>();
  private readonly added = new Set<string>();

  /** A stream name, with its query: the name itself, its parts between slashes, and the tokens of the query. */
  addName(name: string): void {
    if (!this.isNew(`name ${name}`)) return;
    const bare = name.replace(/[?#].*$/s, '');
    const parts = bare.split('/').filter((part) => part.length >= SHORTEST_PART);
    this.add(name, bare, ...parts, ...tokensOf(name));
  }

  /** A user name or a password. */
  addLogin(text: string | undefined): void {
    if (text !== undefined && this.isNew(`login ${text}`)) this.add(text);
  }

  /** An app or a URL that is not secret as a whole: the tokens of its query. */
  addTokensOf(text: string): void {
    if (this.isNew(`query ${text}`)) this.add(...tokensOf(text));
  }

  /** What is sent first on a connection: the values of lines with credentials, such as `Authorization`. */
  addHeader(header: string): void {
    if (header === '' || !this.isNew(`header ${header}`)) return;
    for (const [, value = ''] of header.matchAll(CREDENTIALS)) {
      this.add(value, ...value.split(/[\s;,=]+/).filter((part) => part.length >= SHORTEST_PART));
    }
  }

  /** Replaces all secrets in `text` (see `maskIn`). */
  mask(text: string): string {
    return maskIn(text, this.forms).replaceAll(/\buser=[^&\s\]]*/g, 'user=***');
  }

  private isNew(entry: string): boolean {
    if (this.added.has(entry)) return false;
    this.added.add(entry);
    forgetFirst(this.added);
    return true;
  }

  private add(...texts: string[]): void {
    for (const form of texts.flatMap(formsOf)) if (form !== '') this.forms.add(form);
    forgetFirst(this.forms);
  }
}

function forgetFirst(set: Set<string>): void {
  for (const first of set) {
    if (set.size <= MAX_KNOWN) return;
    set.delete(first);
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
