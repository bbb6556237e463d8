import { byId, setText } from './dom.js';

/**
 * ms between two announcements. Texts in between are combined; of several texts with the same topic, only the last is
 * used.
 */
const PAUSE = 1500;

/** Announces changes to users of screen readers. */
export class Announcer {
  private readonly region = byId('announcer', HTMLParagraphElement);
  private readonly waiting = new Map<string, string>();
  private timer: number | undefined;

  /** @param topic a later text replaces a waiting text with the same topic */
  say(topic: string, text: string): void {
    this.waiting.set(topic, text);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      setText(this.region, [...this.waiting.values()].join('. '));
      this.waiting.clear();
    }, PAUSE);
  }
}
