import type { Announcer } from './announcer.js';
import { byId, setText } from './dom.js';
import { nameOf } from './format.js';
import type { Model } from './model.js';
import type { Track } from './track.js';
import type { Upstream } from './upstream.js';

/** Drops upstreams and tracks by the management API, once the user has said yes. */
export class Dropper {
  private readonly dialog = byId('confirm', HTMLDialogElement);
  private yes: (() => Promise<void>) | undefined;

  constructor(
    private readonly model: Model,
    private readonly announcer: Announcer,
    private readonly report: (problem: string) => void,
  ) {
    byId('confirm-no', HTMLButtonElement).addEventListener('click', () => this.dialog.close());
    byId('confirm-yes', HTMLButtonElement).addEventListener('click', () => {
      this.dialog.close();
      void this.yes?.();
    });
  }

  /** Whether there is an API that may drop, and a way to name the upstream in a URL. */
  can({ info }: Upstream): boolean {
    // A browser takes dot segments out of every URL, and half a character has no place in one.
    return this.model.api !== null && !info.cut && !/^\.\.?$|\p{Surrogate}/u.test(info.id);
  }

  upstream(upstream: Upstream): void {
    const { id } = upstream.info;
    const inputs = upstream.tracks.filter(({ info }) => info.input !== null).length;
    const senders = inputs === 1 ? 'its sender' : `its ${inputs} senders`;
    this.ask(
      'Drop this upstream?',
      `${nameOf(id)} stops publishing at once, and ${senders} lose the connection. A sender that comes back makes it anew.`,
      () => this.remove(`/upstreams/${encodeURIComponent(id)}`, `upstream ${nameOf(id)}`),
    );
  }

  track(upstream: Upstream, track: Track): void {
    const { id } = upstream.info;
    const { media, input } = track.info;
    if (input === null) return;
    this.ask(
      `Drop the ${media} track?`,
      `The sender of ${media} to ${nameOf(id)} (${input.remoteAddr}) loses its connection; what is queued still goes out.`,
      () => this.remove(`/upstreams/${encodeURIComponent(id)}/tracks/${input.connection}`, `${media} of ${nameOf(id)}`),
    );
  }

  private ask(title: string, text: string, yes: () => Promise<void>): void {
    setText(byId('confirm-title', HTMLHeadingElement), title);
    setText(byId('confirm-text', HTMLParagraphElement), text);
    this.yes = yes;
    this.dialog.showModal();
    byId('confirm-no', HTMLButtonElement).focus();
  }

  private async remove(path: string, what: string): Promise<void> {
    try {
      // Asked like a page, so that a server with a token asks the browser for it, which knows it or asks the user.
      const headers = { Accept: 'text/html, application/json' };
      const { ok, status } = await fetch(`${this.model.api ?? '.'}${path}`, { method: 'DELETE', headers });
      if (ok) this.announcer.say('drop', `Dropped ${what}`);
      else this.report(status === 404 ? `${what} is gone already` : `${what} could not be dropped: HTTP ${status}`);
    } catch {
      this.report(`${what} could not be dropped: the service does not answer`);
    }
  }
}
