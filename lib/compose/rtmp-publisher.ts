import { systemClock } from '../time/clock.js';
import { mediaSettings } from '../config/settings.js';
import type { PublisherOptions, RtmpPublisher } from '../rtmp/network/publisher.js';
import { systemResolve } from '../rtmp/network/resolve.js';
import { destinationOf } from '../upstream/connection/destination.js';
import { ConfirmedPublisher } from './confirmed-publisher.js';
import { connectDataOf, type PublishOptions } from './publish-options.js';
import { PublishVerdict } from './publish-verdict.js';
import type { StreamMerger } from './stream-merger.js';

/** Options of {@link rtmpPublisher}. */
export interface RtmpPublisherOptions
  extends PublishOptions, Pick<PublisherOptions, 'onReply' | 'onState' | 'onReceived'> {
  /** The merger whose output is published. It gets the server's answers, and waits for them. */
  readonly merger?: StreamMerger;
  /**
   * ms to wait at the end for a server that has sent nothing since the handshake. Default 5000; 0 for a server that is
   * known never to answer.
   */
  readonly answerTimeout?: number;
}

const ANSWER_TIMEOUT = 5000;

/**
 * The last stage of a pipeline: a Writable that connects to the server of `url` and sends the output of a
 * {@link StreamMerger}. Name the merger, which waits for the server's answers:
 *
 *     await pipeline(merger, rtmpPublisher(url, { merger }));
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
  const attached = options.merger?.attach();
  const settings = mediaSettings(options.settings);
  const { target, header } = destinationOf(connectDataOf(url, options.connect), settings);
  return new ConfirmedPublisher({
    target,
    header,
    timeout: settings.outTimeout,
    answerTimeout: options.answerTimeout ?? ANSWER_TIMEOUT,
    verdict: attached?.verdict ?? new PublishVerdict(),
    clock,
    resolve,
    ...(permit === undefined ? {} : { permit }),
    ...(onReply === undefined ? {} : { onReply }),
    onState: (state) => {
      if (state === 'publishing') attached?.connected();
      onState?.(state);
    },
    ...(onReceived === undefined ? {} : { onReceived }),
  });
}
