import { systemClock } from '../time/clock.js';
import { mediaSettings } from '../config/settings.js';
import type { PublisherOptions, RtmpPublisher } from '../rtmp/network/publisher.js';
import { systemResolve } from '../rtmp/network/resolve.js';
import { destinationOf } from '../upstream/connection/destination.js';
import { ConfirmedPublisher } from './confirmed-publisher.js';
import { connectDataOf, type PublishOptions } from './publish-options.js';

/** Options of {@link rtmpPublisher}. */
export interface RtmpPublisherOptions
  extends PublishOptions, Pick<PublisherOptions, 'onReply' | 'onState' | 'onReceived'> {
  /**
   * ms to wait at the end for a server that has sent nothing since the handshake. Default 5000; 0 for a server that is
   * known never to answer.
   */
  readonly answerTimeout?: number;
}

const ANSWER_TIMEOUT = 5000;

/**
 * The last stage of a pipeline: a Writable that connects to the server of `url` and sends the output of a
 * {@link StreamMerger}. Give it the merger's `reply`, which answers the server:
 *
 *     await pipeline(merger, rtmpPublisher(url, { onReply: merger.reply }));
 *
 * The pipeline resolves once the server has said that the stream is published and all bytes are sent. It rejects with a
 * `PublishError` if the server refuses, if it closes the connection, or if it answers other commands but does not
 * confirm the publish within `outTimeout` ms. For a server that never answers, it resolves after `answerTimeout` ms.
 *
 * @param url `[rtmp://|rtmps://]host[:port]/app/stream`
 * @throws RtmpUrlError
 */
export function rtmpPublisher(url: string, options: RtmpPublisherOptions = {}): RtmpPublisher {
  const { clock = systemClock, resolve = systemResolve, permit, onReply, onState, onReceived } = options;
  const settings = mediaSettings(options.settings);
  const { target, header } = destinationOf(connectDataOf(url, options.connect), settings);
  return new ConfirmedPublisher({
    target,
    header,
    timeout: settings.outTimeout,
    answerTimeout: options.answerTimeout ?? ANSWER_TIMEOUT,
    clock,
    resolve,
    ...(permit === undefined ? {} : { permit }),
    ...(onReply === undefined ? {} : { onReply }),
    ...(onState === undefined ? {} : { onState }),
    ...(onReceived === undefined ? {} : { onReceived }),
  });
}
