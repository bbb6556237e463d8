import { byId, setText } from './dom.js';

const KEY = 'kmp-rtmp-token';

/**
 * Sends requests to the service with the token that the user has given. The token stays in the storage of this tab, and
 * is gone when the tab is closed.
 */
export class Access {
  private readonly dialog = byId('login', HTMLDialogElement);
  private readonly input = byId('login-token', HTMLInputElement);
  private token: string | undefined = stored();
  /** The question that is open, which all requests share. */
  private asked: Promise<boolean> | undefined;

  constructor() {
    // Cancels the dialog, as the Escape key does.
    byId('login-cancel', HTMLButtonElement).addEventListener('click', () => this.dialog.close('cancel'));
    byId('login-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.dialog.close('token');
    });
  }

  /**
   * Like fetch. If the service requires a token, it asks the user for one, and sends the request again.
   *
   * @returns the answer with the status 401 if the user gives no token
   */
  async request(url: string, init: RequestInit = {}): Promise<Response> {
    for (;;) {
      const { token } = this;
      const headers = new Headers(init.headers);
      if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
      const response = await fetch(url, { ...init, headers });
      if (response.status !== 401) return response;
      // Another request may have got a new token meanwhile.
      if (this.token === token && !(await this.ask(token !== undefined))) return response;
    }
  }

  /** The next request asks the user for another token. */
  forget(): void {
    this.remember(undefined);
  }

  /** @param wrong whether the service has refused the current token */
  private ask(wrong: boolean): Promise<boolean> {
    this.asked ??= this.open(wrong).finally(() => (this.asked = undefined));
    return this.asked;
  }

  private open(wrong: boolean): Promise<boolean> {
    this.remember(undefined);
    setText(
      byId('login-text', HTMLParagraphElement),
      wrong ? 'The service does not accept this token. Enter another one.' : 'The service requires a token.',
    );
    this.input.value = '';
    this.dialog.returnValue = '';
    this.dialog.showModal();
    this.input.focus();
    return new Promise((resolve) => {
      this.dialog.addEventListener(
        'close',
        () => {
          const token = this.input.value.trim();
          this.input.value = '';
          const given = this.dialog.returnValue === 'token' && token !== '';
          if (given) this.remember(token);
          resolve(given);
        },
        { once: true },
      );
    });
  }

  private remember(token: string | undefined): void {
    this.token = token;
    try {
      if (token === undefined) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, token);
    } catch {
      // The browser has no storage for this page: the token lasts until the page is left.
    }
  }
}

function stored(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
