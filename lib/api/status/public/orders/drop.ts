import type { Access } from '../access.js';
import type { Announcer } from '../announcer.js';
import { byId, setText } from '../dom.js';
import { nameOf } from '../data/format.js';
import type { ElsewhereForm } from './elsewhere.js';
import type { Model } from '../data/model.js';
import type { Track } from '../data/track.js';
import type { Upstream } from '../data/upstream.js';

/** What a status of the API means here. */
const PROBLEMS: ReadonlyMap<number, (what: string) => string> = new Map([
  [401, (what) => `${what} was not dropped: it needs a token`],
  [403, (what) => `${what} was not dropped: this token may not drop anything`],
  [404, (what) => `${what} has already ended`],
]);

/** Drops upstreams and tracks with the management API, after the user has confirmed it. */
export class Dropper {
  private readonly dialog = byId('confirm', HTMLDialogElement);
  private yes: (() => Promise<void>) | undefined;

  constructor(
    private readonly model: Model,
    private readonly access: Access,
    private readonly announcer: Announcer,
    private readonly report: (problem: string) => void,
    readonly elsewhere: ElsewhereForm,
  ) {
    byId('confirm-no', HTMLButtonElement).addEventListener('click', () => this.dialog.close());
    byId('confirm-yes', HTMLButtonElement).addEventListener('click', () => {
      this.dialog.close();
      void this.yes?.();
    });
  }

  /** Whether there is a writable API, and the id can be part of a URL. */
  can({ info }: Upstream): boolean {
    // A browser removes dot segments from URLs, and a URL cannot contain half a surrogate pair.
    return this.model.api !== null && !info.shortened && !/^\.\.?$|\p{Surrogate}/u.test(info.id);
  }

  upstream(upstream: Upstream): void {
    const { id } = upstream.info;
    const inputs = upstream.tracks.filter(({ info }) => info.input !== null).length;
    const senders = inputs === 1 ? 'its sender' : `its ${inputs} senders`;
    this.ask(
      'Drop this upstream?',
      `${nameOf(id)} stops publishing at once, and ${senders} will be disconnected. A sender that reconnects creates it again.`,
      () => this.remove(`/upstreams/${encodeURIComponent(id)}`, `upstream ${nameOf(id)}`),
    );
  }

  /** Disables an upstream, after the user has confirmed it; enables it, or has it try to connect, at once. */
  order(upstream: Upstream, order: 'disable' | 'enable' | 'retry'): void {
    const { id } = upstream.info;
    const run = (): Promise<void> => this.post(id, order);
    if (order !== 'disable') {
      void run();
      return;
    }
    this.ask(
      'Disable this upstream?',
      `${nameOf(id)} stops publishing. Its senders stay connected, and what they send is discarded, until you enable it.`,
      run,
      'Disable',
    );
  }

  track(upstream: Upstream, track: Track): void {
    const { id } = upstream.info;
    const { media, input } = track.info;
    if (input === null) return;
    this.ask(
      `Drop the ${media} track?`,
      `The sender of ${media} to ${nameOf(id)} (${input.remoteAddr}) will be disconnected. Queued frames are still sent.`,
      () => this.remove(`/upstreams/${encodeURIComponent(id)}/tracks/${input.connection}`, `${media} of ${nameOf(id)}`),
    );
  }

  private ask(title: string, text: string, yes: () => Promise<void>, verb = 'Drop'): void {
    setText(byId('confirm-title', HTMLHeadingElement), title);
    setText(byId('confirm-text', HTMLParagraphElement), text);
    setText(byId('confirm-yes', HTMLButtonElement), verb);
    this.yes = yes;
    this.dialog.showModal();
    byId('confirm-no', HTMLButtonElement).focus();
  }

  private async post(id: string, order: string): Promise<void> {
    const what = `upstream ${nameOf(id)}`;
    try {
      const path = `${this.model.api ?? '.'}/upstreams/${encodeURIComponent(id)}/${order}`;
      const { ok, status } = await this.access.request(path, { method: 'POST' });
      if (ok) this.announcer.say('order', `Done: ${order} ${what}`);
      else this.report(status === 404 ? `${what} has already ended` : `${order} ${what} failed: HTTP ${status}`);
    } catch {
      this.report(`${order} ${what} failed: the service does not answer`);
    }
  }

  private async remove(path: string, what: string): Promise<void> {
    try {
      const { ok, status } = await this.access.request(`${this.model.api ?? '.'}${path}`, { method: 'DELETE' });
      if (ok) this.announcer.say('drop', `Dropped ${what}`);
      else this.report(PROBLEMS.get(status)?.(what) ?? `${what} could not be dropped: HTTP ${status}`);
    } catch {
      this.report(`${what} could not be dropped: the service does not answer`);
    }
  }
}
