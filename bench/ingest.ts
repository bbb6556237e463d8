/**
 * The far end, as a process: an RTMP server that takes any publisher, and the sink of the plain relay. Both check every
 * frame and count how long it was under way. The ports are in the first message.
 */
import { listenCheaply } from './cheap-socket.js';
import { ChunkReader, type ChunkStream } from './chunk-reader.js';
import { FrameCheck } from './frame-check.js';
import { answer, ownCpuSeconds, ready, type IngestReport } from './messages.js';
import { PacketReader } from './packet-reader.js';
import { readStamp, Stamp } from './stamp.js';

const HANDSHAKE = 1536;
const AUDIO_MESSAGE = 8;
const VIDEO_MESSAGE = 9;
/** Tag bytes before the payload: codec, packet type (1: a frame), and for video the composition time. */
const TAG_BYTES = { [AUDIO_MESSAGE]: 2, [VIDEO_MESSAGE]: 5 } as const;
const CODED_FRAME = 1;

const check = new FrameCheck();
let bytes = 0;
let connections = 0;
let lostConnections = 0;

/** One publisher: the plain handshake of the server's side, then chunks. */
class Publisher {
  private readonly name = `connection ${connections}`;
  private readonly hello: Buffer = Buffer.alloc(1 + HANDSHAKE);
  private helloBytes = 0;
  private answerLeft = HANDSHAKE;
  private readonly chunks = new ChunkReader((stream) => this.message(stream));
  /** Which track each (chunk stream, kind) carries: it must stay the same. */
  private readonly tracks = new Map<number, number>();

  constructor(private readonly reply: (bytes: Buffer) => void) {}

  take(buffer: Buffer, length: number): void {
    bytes += length;
    let at = 0;
    if (this.helloBytes < this.hello.length) {
      at = buffer.copy(this.hello, this.helloBytes, 0, Math.min(length, this.hello.length - this.helloBytes));
      this.helloBytes += at;
      // S0, S1 of zeros (version 0: the old scheme, no digest), S2: the echo of C1.
      if (this.helloBytes === this.hello.length) {
        this.reply(Buffer.concat([Buffer.from([3]), Buffer.alloc(HANDSHAKE), this.hello.subarray(1)]));
      }
    }
    const skipped = Math.min(this.answerLeft, length - at);
    this.answerLeft -= skipped;
    this.chunks.feed(buffer, at + skipped, length);
  }

  private message({ id, type, head, length }: ChunkStream): void {
    if ((type !== AUDIO_MESSAGE && type !== VIDEO_MESSAGE) || head[1] !== CODED_FRAME) return;
    const tag = TAG_BYTES[type];
    if (length < tag + Stamp.bytes) return check.fault(`${this.name}: a frame of ${length} bytes`);
    const stamp = readStamp(head, tag);
    const audio = type === AUDIO_MESSAGE;
    const place = id * 2 + (audio ? 1 : 0);
    const known = this.tracks.get(place);
    if (known === undefined) this.tracks.set(place, stamp.track);
    else if (known !== stamp.track) check.fault(`${this.name}: track ${stamp.track} in the place of ${known}`);
    check.frame(stamp, length - tag, audio, this.name);
  }
}

function report(): IngestReport {
  const { received, bad, faults } = check;
  const cpuSeconds = ownCpuSeconds();
  return { received, bytes, bad, faults, connections, lostConnections, cpuSeconds, delay: check.delay() };
}

const onClose = (): void => void (lostConnections += 1);

const rtmpPort = await listenCheaply((reply, socket) => {
  connections += 1;
  const publisher = new Publisher(reply);
  return (buffer, length) => {
    try {
      publisher.take(buffer, length);
    } catch (error) {
      check.fault(String(error));
      socket.destroy();
    }
  };
}, onClose);

const sinkPort = await listenCheaply(() => {
  connections += 1;
  const name = `relayed connection ${connections}`;
  const reader = new PacketReader((head, size) => {
    const stamp = readStamp(head, 0);
    check.frame(stamp, size, stamp.audio, name);
  });
  return (buffer, length) => {
    bytes += length;
    reader.feed(buffer, 0, length);
  };
}, onClose);

answer((question) => {
  if (question === 'mark') check.mark();
  return report();
});
ready({ rtmpPort, sinkPort });
