import { DETECT_SIZE, detect } from './detect.js';
import { KmpInspector } from './kmp.js';
import type { InspectRecord } from './record.js';
import { RtmpInspector } from './rtmp.js';

export interface InspectOptions {
  /** Format of the dump; default: detected by its first bytes. */
  readonly type?: 'kmp' | 'rtmp' | undefined;
  /** True: stream keys are shown, not masked. Default false. */
  readonly showKeys?: boolean;
}

/**
 * Describes a dump record by record. Memory does not grow with the dump: one packet or message is held at a time. The
 * dump is a KMP connection as `kmp_rtmp_in_dump_folder` saves it, with or without its connect packet, or one side of
 * an RTMP connection, as `kmp_rtmp_out_dump_folder` saves that of the server, with or without the handshake. Damage
 * leads to a record of its own. The last record is the summary.
 *
 * @param source the dump in order, e.g. `fs.createReadStream(path)`
 * @throws UnknownDumpError if the dump has neither format
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
