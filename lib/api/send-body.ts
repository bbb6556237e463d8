import type { Response } from 'express';
import { systemClock, type Clock } from '../time/clock.js';

/** Size of the parts that a body is written in, in bytes. */
const PART = 64 * 1024;
/** Time without progress after which a client that does not read is disconnected, in ms. */
const STALL_TIMEOUT = 20_000;
/** Maximum size of all bodies that are being sent, in bytes; a body counts once, however many clients get it. */
const MAX_HELD = 64 * 2 ** 20;
/** Age from which a slow client can be disconnected in favour of another, in ms. */
const GRACE = 1000;

interface Transfer {
  readonly res: Response;
  readonly body: Buffer;
  readonly began: number;
  sent: number;
}

/**
 * Sends bodies to clients, also to those that read slowly or not at all. A body is written in parts, so that a client
 * that does not read holds only a reference to the body, which it may share with others. If the bodies together are too
 * large, the slowest clients are disconnected.
 */
export class BodySender {
  private readonly transfers = new Set<Transfer>();
  /** The number of clients that get each body. */
  private readonly holders = new Map<Buffer, number>();
  private held = 0;

  constructor(
    private readonly clock: Clock = systemClock,
    private readonly maxHeld = MAX_HELD,
  ) {}

  /** Bytes of all bodies that are being sent. */
  get heldBytes(): number {
    return this.held;
  }

  /** Sends the body of a response whose headers are set, and ends it. */
  send(res: Response, body: Buffer): void {
    if (body.length <= PART || res.req.method === 'HEAD') {
      res.end(body);
      return;
    }
    if (!this.holders.has(body)) this.makeRoom(body.length);
    const transfer: Transfer = { res, body, began: this.clock.now(), sent: 0 };
    this.add(transfer);
    const stalled = (): void => void res.destroy();
    let timer = this.clock.after(STALL_TIMEOUT, stalled, false);
    const next = (): void => {
      timer.cancel();
      if (res.destroyed) return;
      while (transfer.sent < body.length) {
        const part = body.subarray(transfer.sent, transfer.sent + PART);
        transfer.sent += part.length;
        if (res.write(part)) continue;
        timer = this.clock.after(STALL_TIMEOUT, stalled, false);
        return;
      }
      timer = this.clock.after(STALL_TIMEOUT, stalled, false);
      res.end();
    };
    res.on('drain', next);
    res.once('close', () => {
      timer.cancel();
      this.remove(transfer);
    });
    next();
  }

  private makeRoom(bytes: number): void {
    const now = this.clock.now();
    const rate = ({ sent, began }: Transfer): number => sent / Math.max(1, now - began);
    const candidates = [...this.transfers]
      .filter(({ began }) => now - began >= GRACE)
      .sort((a, b) => rate(a) - rate(b));
    for (const transfer of candidates) {
      if (this.held + bytes <= this.maxHeld) return;
      this.remove(transfer);
      transfer.res.destroy();
    }
  }

  /** Whether a body of this size can be sent to one more client now. */
  hasRoom(body: Buffer): boolean {
    if (this.holders.has(body) || this.held === 0) return true;
    this.makeRoom(body.length);
    return this.held + body.length <= this.maxHeld || this.held === 0;
  }

  private add(transfer: Transfer): void {
    const { body } = transfer;
    const holders = this.holders.get(body) ?? 0;
    if (holders === 0) this.held += body.length;
    this.holders.set(body, holders + 1);
    this.transfers.add(transfer);
  }

  private remove(transfer: Transfer): void {
    if (!this.transfers.delete(transfer)) return;
    const { body } = transfer;
    const holders = (this.holders.get(body) ?? 1) - 1;
    if (holders > 0) this.holders.set(body, holders);
    else {
      this.holders.delete(body);
      this.held -= body.length;
    }
  }
}

/** Sends the bodies of all HTTP servers of the process. */
export const bodySender = new BodySender();
