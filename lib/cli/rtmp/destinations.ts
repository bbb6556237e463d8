import { maskUrl } from '../../base/mask.js';
import type { Controller, MovedTarget, PublishTargets, TrackFields } from '../../relay/controller.js';
import { targetsOf } from '../../control/targets.js';
import { parseRtmpUrl } from '../../rtmp/rtmp-url.js';
import { CommandError } from '../exit.js';

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

/** @throws CommandError, RtmpUrlError */
export function destinationsOf(urls: readonly string[]): Destination[] {
  for (const url of urls) {
    if (parseRtmpUrl(url).stream === '')
      throw new CommandError(`${maskUrl(url)} has no stream key behind the app; expected rtmp://HOST/APP/KEY`);
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

/** Sends every track to all destinations, by the service of this process. None of them ends another one. */
export class FixedController implements Controller {
  constructor(
    private readonly destinations: readonly Destination[],
    private readonly service: { readonly host: string; readonly port: number },
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
        connectData: JSON.stringify({ upstream_id: id, url }),
      })),
    });
  }

  republish(): Promise<MovedTarget> {
    const { host, port } = this.service;
    return Promise.resolve({ host, port });
  }

  unpublish(): Promise<void> {
    return Promise.resolve();
  }
}
