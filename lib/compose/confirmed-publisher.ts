import type { Timer } from '../time/clock.js';
import { PublishError } from '../rtmp/publish-error.js';
import { RtmpPublisher, type PublisherOptions } from '../rtmp/network/publisher.js';
import type { Verdict } from './publish-verdict.js';

/** Options of {@link ConfirmedPublisher}. */
export interface ConfirmedPublisherOptions extends PublisherOptions {
  /** ms to wait at the end for a server that has sent nothing since the handshake. */
  readonly answerTimeout: number;
  readonly verdict: Verdict;
}

/**
 * A publisher that finishes only once the server has said that the stream is published: a short input is written long
 * before a server refuses it. A refusal destroys it with a {@link PublishError}, at any time.
 *
 * At the end it waits for a server that has not answered the publish yet: up to `timeout` ms if the server has sent
 * anything since the handshake, then it fails; up to `answerTimeout` ms if it has not, then it finishes, since there
 * are servers that never answer (docs/protocol/servers.md, RTMP servers).
 */
export class ConfirmedPublisher extends RtmpPublisher {
  private readonly verdict: Verdict;
  private readonly wait: ConfirmedPublisherOptions;
  /** Continues the end that waits for the server's answer. */
  private finishNow: ((error?: PublishError) => void) | undefined;
  private timer: Timer | undefined;
  /** Whether {@link timer} runs for a server that has sent nothing. */
  private waitsForAnything = false;

  constructor(options: ConfirmedPublisherOptions) {
    const { verdict } = options;
    super({
      ...options,
      onReply: (bytes) => {
        this.heard(verdict.feed(bytes));
        options.onReply?.(bytes);
      },
    });
    this.verdict = verdict;
    this.wait = options;
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.finishNow = (error) => {
      this.finishNow = undefined;
      this.timer?.cancel();
      if (error === undefined) super._final(callback);
      else callback(error);
    };
    if (this.verdict.state === 'published') this.finishNow();
    else this.waitForAnswer();
  }

  /** A server that never answers may close the connection once it has the end of the stream: that is no failure. */
  override destroy(error?: Error): this {
    const closed = error instanceof PublishError && error.stage === 'recv';
    if (closed && this.finishNow !== undefined && this.verdict.state === 'silent') {
      this.finishNow();
      return this;
    }
    return super.destroy(error);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.timer?.cancel();
    super._destroy(error, callback);
  }

  private heard(refusal: PublishError | undefined): void {
    if (refusal !== undefined) this.destroy(refusal);
    else if (this.finishNow === undefined) return;
    else if (this.verdict.state === 'published') this.finishNow();
    else if (this.waitsForAnything) this.waitForAnswer();
  }

  private waitForAnswer(): void {
    const { clock, timeout, answerTimeout } = this.wait;
    const silent = this.verdict.state === 'silent';
    this.waitsForAnything = silent;
    this.timer?.cancel();
    this.timer = clock.after(silent ? answerTimeout : timeout, () => {
      if (silent) this.finishNow?.();
      else this.finishNow?.(unconfirmed(timeout));
    });
  }
}

function unconfirmed(timeout: number): PublishError {
  return new PublishError(
    'publish_rejected',
    `the server did not say within ${timeout} ms that the stream is published (kmp_rtmp_out_timeout)`,
  );
}
