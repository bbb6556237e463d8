import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';

/** The descriptor of a worker's {@link MessageChannel}. Those before it: standard streams, Node's channel. */
export const CHANNEL_FD = 4;

/** Bytes of the length before each message. */
const LENGTH = 4;

/**
 * Messages between the primary and a worker. They do not go over Node's channel: there, a message waits until the other
 * process has confirmed each socket that was sent before it. With many connections on a busy machine, that took 45 s.
 */
export class MessageChannel<Out, In> {
  private parts: Buffer[] = [];
  private held = 0;
  /** Bytes that are needed for the next step. */
  private wanted = LENGTH;

  /** @param stream to the other process; its end is noticed by Node's channel */
  constructor(
    private readonly stream: Socket,
    private readonly onMessage: (message: In) => void,
  ) {
    stream.on('data', (bytes: Buffer) => this.take(bytes));
    stream.on('error', () => {});
  }

  /** Sends a message, unless the other process is gone. */
  send(message: Out): void {
    if (!this.stream.writable) return;
    const body = serialize(message);
    const length = Buffer.alloc(LENGTH);
    length.writeUInt32LE(body.length);
    this.stream.cork();
    this.stream.write(length);
    this.stream.write(body);
    this.stream.uncork();
  }

  private take(bytes: Buffer): void {
    this.parts.push(bytes);
    this.held += bytes.length;
    // A large message comes in many parts. They are joined once, when all of them are there.
    if (this.held < this.wanted) return;
    let rest = this.parts.length === 1 ? bytes : Buffer.concat(this.parts);
    for (;;) {
      this.wanted = LENGTH + (rest.length < LENGTH ? 0 : rest.readUInt32LE());
      if (rest.length < LENGTH || rest.length < this.wanted) break;
      const body = rest.subarray(LENGTH, this.wanted);
      rest = rest.subarray(this.wanted);
      this.onMessage(deserialize(body) as In);
    }
    this.parts = [rest];
    this.held = rest.length;
  }
}
