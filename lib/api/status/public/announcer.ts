import { byId, setText } from './dom.js';

/** ms between two announcements: what comes faster is said together, or, if it is the same thing again, once. */
const PAUSE = 1500;

/** Says things to those who hear the page, at their reader's next pause. */
export class Announcer {
  private readonly region = byId('announcer', HTMLParagraphElement);
  private readonly waiting = new Map<string, string>();
  private timer: number | undefined;

  /** @param topic a later text of the same topic takes the place of one that has not been said yet */
  say(topic: string, text: string): void {
    this.waiting.set(topic, text);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      setText(this.region, [...this.waiting.values()].join('. '));
      this.waiting.clear();
    }, PAUSE);
  }
}
