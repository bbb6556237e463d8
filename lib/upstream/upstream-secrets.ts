import { Secrets } from '../base/secrets.js';
import type { ConnectData } from '../kmp/connect-data.js';
import type { Destination } from './connection/destination.js';

/** What is known of an upstream at the moment. */
export interface SecretHolder {
  readonly data: ConnectData;
  readonly target: { readonly known: readonly Destination[] };
}

/** The {@link Secrets} of one upstream. It learns those of new streams and destinations when it is asked. */
export class UpstreamSecrets {
  private readonly secrets = new Secrets();

  /** @param names returns those of its streams at all destinations, those that ended last included */
  constructor(
    private readonly holder: SecretHolder,
    private readonly names: () => Iterable<string>,
  ) {}

  /** Masks all secrets of the upstream in `text`, which may come from a server. */
  mask(text: string): string {
    const { holder, secrets } = this;
    const { header, pageUrl, swfUrl } = holder.data;
    secrets.addHeader(header ?? '');
    for (const url of [pageUrl, swfUrl]) secrets.addTokensOf(url ?? '');
    for (const name of this.names()) secrets.addName(name);
    for (const { url, streamName, params } of holder.target.known) {
      secrets.addLogin(url.user);
      secrets.addLogin(url.password);
      secrets.addName(streamName);
      secrets.addTokensOf(params.app);
      secrets.addTokensOf(params.tcUrl);
    }
    return secrets.mask(text);
  }
}
