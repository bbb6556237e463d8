import { authAnswer } from '../../../rtmp/auth.js';
import { withAuth, withTcUrl, type Destination } from '../destination.js';

/** A server may redirect this often in sequence. */
const MAX_REDIRECTS = 5;

/** The result of a server's request to log in. */
export type LogIn =
  /** Connect again, with credentials. */
  | { readonly kind: 'again' }
  | { readonly kind: 'rejected'; readonly reason: string }
  /** It is not such a request, or there are no credentials. */
  | { readonly kind: 'none' };

/**
 * The destinations of connection attempts: first the destination of the series, then the targets of redirects, with the
 * parameters of a login.
 */
export class ServerRoute {
  /** The next destination, with the parameters of a login. */
  next: Destination;
  /** The next destination without these parameters. */
  private place: Destination;
  private redirects = 0;
  private authRound: 0 | 1 | 2 = 0;

  /** @param start where the first series begins */
  constructor(start: Destination) {
    this.next = this.place = start;
  }

  /** The present destination, without the parameters of a login. */
  get here(): Destination {
    return this.place;
  }

  /** A new series of attempts begins at `start`, with redirects and login rounds counted from 0. */
  begin(start: Destination): void {
    this.next = this.place = start;
    this.redirects = 0;
    this.authRound = 0;
  }

  /** Continues at the present destination of `other`. */
  continue(other: ServerRoute): void {
    this.place = other.place;
    this.redirects = other.redirects;
    this.authRound = other.authRound;
  }

  /**
   * Takes a redirect. Returns the reason if it is not followed, or undefined if {@link next} is the new destination.
   */
  redirect(url: string): string | undefined {
    this.redirects++;
    if (this.redirects > MAX_REDIRECTS) return `more than ${MAX_REDIRECTS} times in sequence`;
    const there = withTcUrl(this.place, url);
    if (there === undefined) return 'to a URL that is invalid, or leaves TLS';
    this.next = this.place = there;
    this.authRound = 0;
    return undefined;
  }

  /** Takes the description of a refusal, which may be a request to log in. */
  logIn(description: string): LogIn {
    const { url, params } = this.place;
    const credentials = url.user === undefined ? undefined : { user: url.user, password: url.password ?? '' };
    const answer = authAnswer(description, credentials, params.app, { lastRound: this.authRound });
    if (answer === undefined) return { kind: 'none' };
    if (answer.kind === 'rejected') return { kind: 'rejected', reason: answer.reason };
    this.authRound = answer.round;
    this.next = withAuth(this.place, answer.query);
    return { kind: 'again' };
  }
}
