import { createSocket, type Socket } from 'node:dgram';
import { isIPv6, type AddressInfo } from 'node:net';
import { u16be, u32be } from '../values/bytes.js';

/** What a name has: its addresses; no such name; a server that is not willing to say; or no answer at all. */
export type DnsRecord = readonly string[] | 'nxdomain' | 'refused' | 'silent';

const TYPES = { a: 1, aaaa: 28 } as const;
const CODES = { nxdomain: 3, refused: 5 } as const;

/** A DNS server over UDP with the given records (RFC 1035, 4.1). */
export class DnsServer {
  /** Names asked for, with the type. */
  readonly questions: string[] = [];

  private constructor(
    private readonly socket: Socket,
    readonly records: Map<string, DnsRecord>,
    /** s */
    public ttl: number,
  ) {}

  static async start(records: Readonly<Record<string, DnsRecord>>, ttl = 0): Promise<DnsServer> {
    const socket = createSocket('udp4');
    const server = new DnsServer(socket, new Map(Object.entries(records)), ttl);
    socket.on('message', (query, peer) => {
      const answer = server.answer(query);
      if (answer !== undefined) socket.send(answer, peer.port, peer.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  /** As `resolver` takes it. */
  get address(): string {
    return `127.0.0.1:${(this.socket.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  private answer(query: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const name = labels.join('.').toLowerCase();
    this.questions.push(`${name} ${type === TYPES.aaaa ? 'AAAA' : 'A'}`);
    // `name AAAA` is for questions of that type only.
    const record = this.records.get(this.questions.at(-1) ?? '') ?? this.records.get(name) ?? 'nxdomain';
    if (record === 'silent') return undefined;
    const addresses = typeof record === 'string' ? [] : record;
    const found = addresses.filter((address) => type === (isIPv6(address) ? TYPES.aaaa : TYPES.a));
    const flags = 0x8180 | (typeof record === 'string' ? CODES[record] : 0);
    const counts = [1, found.length, 0, 0].map(u16be);
    return Buffer.concat([
      ...[query.subarray(0, 2), u16be(flags), ...counts, question],
      ...found.map((address) => this.resource(type, address)),
    ]);
  }

  private resource(type: number, address: string): Buffer {
    const data = isIPv6(address) ? v6(address) : Buffer.from(address.split('.').map(Number));
    // The name is a pointer to that of the question.
    return Buffer.concat([u16be(0xc00c), u16be(type), u16be(1), u32be(this.ttl), u16be(data.length), data]);
  }
}

function v6(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const front = groups(head);
  const back = groups(tail ?? '');
  const zeros = new Array<string>(8 - front.length - back.length).fill('0');
  return Buffer.concat([...front, ...zeros, ...back].map((group) => u16be(parseInt(group, 16))));
}
