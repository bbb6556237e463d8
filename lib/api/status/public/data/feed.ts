import { EventStreamParser, type StreamEvent } from './event-stream.js';
import type { FullMessage, HelloMessage, TickMessage } from './wire.js';

/** `locked`: the service requires a token, and the user has given none that may read. */
export type FeedState = 'connecting' | 'live' | 'late' | 'lost' | 'paused' | 'locked';

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
  private connection: AbortController | undefined;
  private late: number | undefined;
  private retry: number | undefined;
  private background: number | undefined;
  private wait = FIRST_RETRY;

  constructor(
    private readonly url: string,
    private readonly request: (url: string, init: RequestInit) => Promise<Response>,
    private readonly listener: FeedListener,
  ) {
    document.addEventListener('visibilitychange', () => this.visibility());
    // The user has returned to the page; the browser has closed the connection meanwhile.
    addEventListener('pageshow', (event) => {
      if (event.persisted) this.open();
    });
    this.open();
  }

  open(): void {
    this.close();
    this.listener.state('connecting');
    const connection = new AbortController();
    this.connection = connection;
    this.receive(connection.signal).then(
      (state) => this.ended(connection, state),
      () => this.ended(connection, 'lost'),
    );
  }

  /** Receives events until the stream ends. */
  private async receive(signal: AbortSignal): Promise<'lost' | 'locked'> {
    const response = await this.request(this.url, { headers: { Accept: 'text/event-stream' }, signal });
    if (response.status === 401 || response.status === 403) return 'locked';
    const reader = response.ok ? response.body?.pipeThrough(new TextDecoderStream()).getReader() : undefined;
    const parser = new EventStreamParser();
    for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
      for (const event of parser.push(read.value)) if (!signal.aborted) this.event(event);
    }
    return 'lost';
  }

  private event({ name, data }: StreamEvent): void {
    if (name === 'hello') this.listener.hello(JSON.parse(data) as HelloMessage);
    else if (name === 'trouble') this.listener.state('late');
    else if (name === 'full' || name === 'tick') {
      this.news();
      if (name === 'full') this.listener.full(JSON.parse(data) as FullMessage);
      else this.listener.tick(JSON.parse(data) as TickMessage);
    }
  }

  private ended(connection: AbortController, state: 'lost' | 'locked'): void {
    if (this.connection !== connection) return;
    this.close();
    this.listener.state(state);
    // Without a token, only the user can continue.
    if (state === 'locked') return;
    this.retry = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, LAST_RETRY);
  }

  private close(): void {
    clearTimeout(this.late);
    clearTimeout(this.retry);
    const { connection } = this;
    this.connection = undefined;
    connection?.abort();
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
      if (this.connection === undefined) this.open();
      return;
    }
    this.background = setTimeout(() => {
      this.close();
      this.listener.state('paused');
    }, BACKGROUND);
  }
}
