import { DETECT_SIZE, detect } from './detect.js';
import { KmpInspector } from './kmp.js';
import type { InspectRecord } from './record.js';
import { RtmpInspector } from './rtmp.js';

export interface InspectOptions {
  /** What the dump is; told by its first bytes if not given. */
  readonly type?: 'kmp' | 'rtmp' | undefined;
  /** Stream keys are shown, and not masked. Default false. */
  readonly showKeys?: boolean;
}

/**
 * Says what a dump holds, record by record, in memory that does not grow with it (a packet or message at a time): a KMP
 * connection as `kmp_rtmp_in_dump_folder` saves it, with or without its connect packet; either side of an RTMP connection,
 * as `kmp_rtmp_out_dump_folder` saves the server's, with or without the handshake. Damage is a record like others; the
 * summary is the last.
 *
 * @param source the dump in order, e.g. `fs.createReadStream(path)`
 * @throws UnknownDumpError if it is neither
 */
export async function* inspect(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  { type, showKeys = false }: InspectOptions = {},
): AsyncGenerator<InspectRecord, void> {
  let inspector: KmpInspector | RtmpInspector | undefined;
  let head = Buffer.alloc(0);
  const begin = (): KmpInspector | RtmpInspector => {
    const found = detect(head, type);
    return found.format === 'kmp' ? new KmpInspector(showKeys) : new RtmpInspector({ ...found, showKeys });
  };
  for await (const chunk of source) {
    if (inspector !== undefined) {
      yield* inspector.feed(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < DETECT_SIZE) continue;
    inspector = begin();
    yield* inspector.feed(head);
    head = Buffer.alloc(0);
  }
  if (inspector === undefined) {
    inspector = begin();
    yield* inspector.feed(head);
  }
  yield* inspector.end();
}
