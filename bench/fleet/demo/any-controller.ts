import { ControlError, type Controller, type MovedTarget, type PublishTargets } from '../../../lib/relay/controller.js';
import type { InputFields, TrackFields } from '../../../lib/relay/controller.js';
import { HttpController } from '../../../lib/relay/http-controller.js';
import { systemClock } from '../../../lib/time/clock.js';

/**
 * Asks the first node that answers, beginning with another one for each question: as a sender whose controller is
 * behind an address that all nodes share.
 */
export class AnyController implements Controller {
  private next = 0;

  /** @param urls of the controllers of the nodes that are in use */
  constructor(private readonly urls: () => readonly string[]) {}

  connect(input: InputFields): Promise<void> {
    return this.ask((controller) => controller.connect(input));
  }

  publish(track: TrackFields): Promise<PublishTargets> {
    return this.ask((controller) => controller.publish(track));
  }

  republish(track: TrackFields, ids: Omit<PublishTargets, 'upstreams'>, upstreamId: string): Promise<MovedTarget> {
    return this.ask((controller) => controller.republish(track, ids, upstreamId));
  }

  unpublish(track: TrackFields, reason: string): Promise<void> {
    return this.ask((controller) => controller.unpublish(track, reason));
  }

  private async ask<T>(question: (controller: Controller) => Promise<T>): Promise<T> {
    const urls = this.urls();
    const first = this.next++;
    let failure: unknown = new ControlError('control_failed', 'no node is in use');
    for (let n = 0; n < urls.length; n++) {
      const url = urls[(first + n) % urls.length] ?? '';
      try {
        return await question(new HttpController({ url, askConnect: false, clock: systemClock }));
      } catch (error) {
        if (error instanceof ControlError && error.code === 'control_refused') throw error;
        failure = error;
      }
    }
    throw failure;
  }
}
