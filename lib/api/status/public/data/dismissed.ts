const KEY = 'kmp-rtmp-dismissed';
/** Most failures that are remembered. */
const LIMIT = 500;

/** The part of `localStorage` that is used. */
export interface TextStore {
  getItem(key: string): string | null;
  setItem(key: string, text: string): void;
}

/**
 * The failures that the user has dismissed. The browser keeps them. A later failure of the same upstream shows again.
 */
export class Dismissed {
  /** The time of the last dismissed end, by upstream id. */
  private readonly until = new Map<string, string>();

  /** @param store undefined: they are forgotten with the page */
  constructor(private readonly store?: TextStore) {
    for (const [id, closedAt] of this.read()) this.until.set(id, closedAt);
  }

  /** Whether the end of an upstream at this time (ISO 8601, UTC) is dismissed. */
  has(id: string, closedAt: string): boolean {
    const until = this.until.get(id);
    return until !== undefined && closedAt <= until;
  }

  add(id: string, closedAt: string): void {
    this.until.delete(id);
    this.until.set(id, closedAt);
    for (const oldest of this.until.keys()) {
      if (this.until.size <= LIMIT) break;
      this.until.delete(oldest);
    }
    try {
      this.store?.setItem(KEY, JSON.stringify([...this.until]));
    } catch {
      // The browser stores nothing: they are forgotten with the page.
    }
  }

  private read(): [string, string][] {
    try {
      const stored: unknown = JSON.parse(this.store?.getItem(KEY) ?? '[]');
      return Array.isArray(stored) ? stored.filter(isEntry) : [];
    } catch {
      return [];
    }
  }
}

function isEntry(value: unknown): value is [string, string] {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string';
}
