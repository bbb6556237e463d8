import type { FullMessage, HelloMessage, TickMessage } from './wire.js';

export type FeedState = 'connecting' | 'live' | 'late' | 'lost' | 'paused';

export interface FeedListener {
  hello(message: HelloMessage): void;
  full(message: FullMessage): void;
  tick(message: TickMessage): void;
  state(state: FeedState): void;
}

/** ms without a message after which the displayed data is out of date. */
const LATE = 4000;
/** ms after which a page in the background closes its connection. */
const BACKGROUND = 60_000;
const FIRST_RETRY = 1000;
const LAST_RETRY = 15_000;

/** Receives the events of the service while the page is visible. After a minute in the background, it disconnects. */
export class FeedClient {
  private source: EventSource | undefined;
  private late: number | undefined;
  private retry: number | undefined;
  private background: number | undefined;
  private wait = FIRST_RETRY;

  constructor(
    private readonly url: string,
    private readonly listener: FeedListener,
  ) {
    document.addEventListener('visibilitychange', () => this.visibility());
    // The user has returned to the page; the browser has closed the connection meanwhile.
    addEventListener('pageshow', (event) => {
      if (event.persisted) this.open();
    });
    this.open();
  }

  private open(): void {
    this.close();
    this.listener.state('connecting');
    const source = new EventSource(this.url);
    this.source = source;
    source.addEventListener('hello', ({ data }: MessageEvent<string>) => {
      this.listener.hello(JSON.parse(data) as HelloMessage);
    });
    source.addEventListener('full', ({ data }: MessageEvent<string>) => {
      this.news();
      this.listener.full(JSON.parse(data) as FullMessage);
    });
    source.addEventListener('tick', ({ data }: MessageEvent<string>) => {
      this.news();
      this.listener.tick(JSON.parse(data) as TickMessage);
    });
    source.addEventListener('trouble', () => this.listener.state('late'));
    source.addEventListener('error', () => {
      // Browsers retry only after some errors, so this client always retries itself.
      this.close();
      this.listener.state('lost');
      this.retry = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, LAST_RETRY);
    });
  }

  private close(): void {
    clearTimeout(this.late);
    clearTimeout(this.retry);
    this.source?.close();
    this.source = undefined;
  }

  private news(): void {
    this.wait = FIRST_RETRY;
    this.listener.state('live');
    clearTimeout(this.late);
    this.late = setTimeout(() => this.listener.state('late'), LATE);
  }

  private visibility(): void {
    clearTimeout(this.background);
    if (document.visibilityState === 'visible') {
      if (this.source === undefined) this.open();
      return;
    }
    this.background = setTimeout(() => {
      this.close();
      this.listener.state('paused');
    }, BACKGROUND);
  }
}
