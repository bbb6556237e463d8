import { systemClock } from '../time/clock.js';
import { mediaSettings } from '../config/settings.js';
import { RtmpPublisher, type PublisherOptions } from '../rtmp/publisher.js';
import { systemResolve } from '../rtmp/resolve.js';
import { destinationOf } from '../upstream/connection/destination.js';
import { connectDataOf, type PublishOptions } from './publish-options.js';

/** Options of {@link rtmpPublisher}. */
export interface RtmpPublisherOptions
  extends PublishOptions, Pick<PublisherOptions, 'onReply' | 'onState' | 'onReceived'> {}

/**
 * The last stage of a line of one's own: a Writable that connects to the server of `url` and takes what a
 * {@link StreamMerger} gives. Hand it the merger's `reply`, so that the server gets its answers:
 *
 *     pipeline(merger, rtmpPublisher(url, { onReply: merger.reply }), (error) => { ... });
 *
 * @param url `[rtmp://|rtmps://]host[:port]/app/stream`
 * @throws RtmpUrlError
 */
export function rtmpPublisher(url: string, options: RtmpPublisherOptions = {}): RtmpPublisher {
  const { clock = systemClock, resolve = systemResolve, permit, onReply, onState, onReceived } = options;
  const settings = mediaSettings(options.settings);
  const { target, header } = destinationOf(connectDataOf(url, options.connect), settings);
  return new RtmpPublisher({
    target,
    header,
    timeout: settings.outTimeout,
    clock,
    resolve,
    ...(permit === undefined ? {} : { permit }),
    ...(onReply === undefined ? {} : { onReply }),
    ...(onState === undefined ? {} : { onState }),
    ...(onReceived === undefined ? {} : { onReceived }),
  });
}
