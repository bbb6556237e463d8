import { maskUrl } from '../../base/mask.js';
import type { Controller, MovedTarget, PublishTargets, TrackFields } from '../../relay/controller.js';
import { targetsOf } from '../../control/targets.js';
import { SIGNATURE_LIFETIME, signConnectData } from '../../kmp/signature.js';
import type { Clock } from '../../time/clock.js';
import { parseRtmpUrl } from '../../rtmp/rtmp-url.js';
import { reachesListener } from '../../config/access/own-listeners.js';
import { CommandError } from '../exit.js';
import type { Address } from '../send/send-values.js';

/** The stream of `restream`: there is one, whatever its publisher calls it. */
export const STREAM = 'live';

/** Where `restream` publishes to. */
export interface Destination {
  /** Id of its upstream. */
  readonly id: string;
  readonly url: string;
  /** The URL without its secrets. */
  readonly label: string;
}

/**
 * @param listen where this command takes RTMP: no destination may be there
 * @throws CommandError, RtmpUrlError
 */
export function destinationsOf(urls: readonly string[], listen: Address): Destination[] {
  for (const [index, url] of urls.entries()) {
    const problem = problemOf(url);
    if (problem !== undefined) throw new CommandError(`destination ${index + 1} ${problem}`);
    const { host, port, stream } = parseRtmpUrl(url);
    if (stream === '')
      throw new CommandError(`${maskUrl(url)} has no stream key behind the app; expected rtmp://HOST/APP/KEY`);
    const address = host.toLowerCase() === 'localhost' ? '127.0.0.1' : host;
    if (reachesListener(address, port, [listen]))
      throw new CommandError(
        `${maskUrl(url)} is the address of this command itself, so the stream would go in a circle; give the URL of ` +
          'another server, or another address by --listen',
      );
  }
  const found = targetsOf([{ pattern: /^/, urls }], STREAM) ?? [];
  const destinations = found.map(({ id }, index) => ({
    id,
    url: urls[index] ?? '',
    label: maskUrl(urls[index] ?? ''),
  }));
  const twice = destinations.find(({ id }, index) => destinations.findIndex((one) => one.id === id) !== index);
  if (twice !== undefined) throw new CommandError(`${twice.label} is given twice`);
  return destinations;
}

/** What is wrong with the text of a destination, as far as the parser of URLs would accept it or not explain it. */
function problemOf(url: string): string | undefined {
  if (url.trim() === '') return 'is empty (is a variable of the shell not set?); expected rtmp://HOST/APP/KEY';
  if (/^\s|\s$/.test(url)) return 'begins or ends with a space; remove it';
  const [, separator] = /(\s|[,;|])\s*rtmps?:\/\//i.exec(url) ?? [];
  if (separator !== undefined)
    return `contains several URLs with "${separator}" between them; quote each URL on its own`;
  if (/[,;|]$|\|[^|]*\//.test(url)) return 'contains a "," ";" or "|" after the URL; quote each URL on its own';
  return undefined;
}

/**
 * Sends every track to all destinations, by the service of this process. None of them ends another one. The service
 * accepts no other sender: connect data is signed with a secret that only this process knows.
 */
export class FixedController implements Controller {
  constructor(
    private readonly destinations: readonly Destination[],
    private readonly service: { readonly host: string; readonly port: number },
    private readonly secret: string,
    private readonly clock: Pick<Clock, 'wall'>,
  ) {}

  connect(): Promise<void> {
    return Promise.resolve();
  }

  publish({ info }: TrackFields): Promise<PublishTargets> {
    const { host, port } = this.service;
    return Promise.resolve({
      channelId: STREAM,
      trackId: info.mediaType === 'video' ? 'v1' : 'a1',
      upstreams: this.destinations.map(({ id, url }) => ({
        ...{ id, host, port, required: false },
        connectData: this.signed(id, url),
      })),
    });
  }

  republish(_: TrackFields, __: unknown, upstreamId: string): Promise<MovedTarget> {
    const { host, port } = this.service;
    const url = this.destinations.find(({ id }) => id === upstreamId)?.url ?? '';
    return Promise.resolve({ host, port, connectData: this.signed(upstreamId, url) });
  }

  private signed(id: string, url: string): string {
    const expires = Math.ceil(this.clock.wall() / 1000) + SIGNATURE_LIFETIME;
    return signConnectData({ upstream_id: id, url }, this.secret, expires);
  }

  unpublish(): Promise<void> {
    return Promise.resolve();
  }
}
