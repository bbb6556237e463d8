import type { Access } from '../access.js';
import type { Announcer } from '../announcer.js';
import { byId, setText } from '../dom.js';
import { nameOf } from '../data/format.js';
import type { Model } from '../data/model.js';
import type { Upstream } from '../data/upstream.js';

/** The form that sends an upstream to another destination. The page never shows the key of the present one. */
export class ElsewhereForm {
  private readonly dialog = byId('elsewhere', HTMLDialogElement);
  private readonly url = byId('elsewhere-url', HTMLInputElement);
  private readonly backups = byId('elsewhere-backups', HTMLTextAreaElement);
  private readonly problem = byId('elsewhere-problem', HTMLParagraphElement);
  private readonly send = byId('elsewhere-send', HTMLButtonElement);
  /** The id of the upstream that the form is open for. */
  private id: string | undefined;

  constructor(
    private readonly model: Model,
    private readonly access: Access,
    private readonly announcer: Announcer,
    private readonly report: (problem: string) => void,
  ) {
    byId('elsewhere-cancel', HTMLButtonElement).addEventListener('click', () => this.dialog.close());
    // Keys do not stay in the page.
    this.dialog.addEventListener('close', () => this.clear());
    byId('elsewhere-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.submit();
    });
  }

  open({ info }: Upstream): void {
    this.clear();
    this.id = info.id;
    const present = info.backup?.url ?? info.elsewhere ?? info.url;
    setText(
      byId('elsewhere-text', HTMLParagraphElement),
      `${nameOf(info.id)} publishes to ${present}. It continues at the new destination from the next key frame on. ` +
        'Its senders stay connected. This lasts until you send it back.',
    );
    this.dialog.showModal();
    this.url.focus();
  }

  /** Sends it back to where its senders ask for. */
  async back({ info }: Upstream): Promise<void> {
    const what = `upstream ${nameOf(info.id)}`;
    const problem = await this.request(info.id, { method: 'DELETE' });
    if (problem === undefined) this.announcer.say('order', `Done: ${what} is sent back`);
    else this.report(`${what} was not sent back: ${problem}`);
  }

  private async submit(): Promise<void> {
    const { id } = this;
    if (id === undefined) return;
    const backups = this.backups.value.split(/\s+/).filter((one) => one !== '');
    const body = JSON.stringify({ url: this.url.value.trim(), backup_urls: backups });
    this.send.disabled = true;
    const problem = await this.request(id, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    this.send.disabled = false;
    if (this.id !== id) return;
    if (problem !== undefined) {
      this.problem.hidden = false;
      setText(this.problem, `Nothing was changed: ${problem}`);
      return;
    }
    this.dialog.close();
    this.announcer.say('order', `Done: upstream ${nameOf(id)} is sent elsewhere`);
  }

  /** Returns why it was not done. */
  private async request(id: string, init: RequestInit): Promise<string | undefined> {
    try {
      const path = `${this.model.api ?? '.'}/upstreams/${encodeURIComponent(id)}/elsewhere`;
      const answer = await this.access.request(path, init);
      if (answer.ok) return undefined;
      const said: unknown = await answer.json().catch(() => undefined);
      return messageIn(said) ?? `HTTP ${answer.status}`;
    } catch {
      return 'the service does not answer';
    }
  }

  private clear(): void {
    this.id = undefined;
    this.url.value = '';
    this.backups.value = '';
    this.problem.hidden = true;
  }
}

function messageIn(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('message' in answer)) return undefined;
  return typeof answer.message === 'string' ? answer.message : undefined;
}
