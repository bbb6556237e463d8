import { jsonLine, printable } from './printable.js';
import type {
  ConnectRecord,
  FrameRecord,
  HandshakeRecord,
  InspectRecord,
  MediaInfoRecord,
  MessageRecord,
} from './record.js';
import { summaryText } from './summary-text.js';
import type { TimeFault } from './track-stats.js';
import { bitrate, ms, plural, signedMs } from './units.js';

/** Longest free text in a line, characters. */
const MAX_TEXT = 1000;

/** A record as one line of text; the summary as several lines. Without the final line break. */
export function recordText(record: InspectRecord): string {
  switch (record.kind) {
    case 'connect':
      return line(record.offset, 'cnct', connectText(record));
    case 'mediaInfo':
      return line(record.offset, 'minf', mediaInfoText(record));
    case 'frame':
      return line(record.offset, 'fram', frameText(record));
    case 'null':
      return line(record.offset, 'null', 'keep-alive');
    case 'end':
      return line(record.offset, 'eost', 'end of the track');
    case 'handshake':
      return line(record.offset, 'handshake'.padEnd(13), handshakeText(record));
    case 'message':
      return line(record.offset, record.name.padEnd(13), messageText(record));
    case 'broken':
      return line(record.offset, 'BROKEN', `at byte ${record.offset}: ${printable(record.message)} [${record.code}]`);
    case 'resync':
      return line(record.offset, 'resumed', `after ${plural(record.skipped, 'byte')} that could not be read`);
    case 'summary':
      return summaryText(record);
  }
}

function line(offset: number, what: string, text: string): string {
  return `${String(offset).padStart(10)}  ${what}  ${text}`;
}

function connectText({ channelId, trackId, initialFrameId, flags, data, problem }: ConnectRecord): string {
  const consistent = (flags & 1) === 0 ? '' : ' consistent';
  const ids = `channel ${quoted(channelId)} track ${quoted(trackId)} first frame ${initialFrameId}${consistent}`;
  return `${ids} data ${typeof data === 'string' ? short(printable(data)) : value(data)}${problemText(problem)}`;
}

function mediaInfoText(info: MediaInfoRecord): string {
  const { mediaType, codec, timescale, extraDataSize } = info;
  const media =
    mediaType === 'video'
      ? `${info.width}x${info.height} ${info.frameRate === undefined ? 'no frame rate' : `${info.frameRate} fps`}`
      : `${info.sampleRate} Hz ${plural(info.channels ?? 0, 'channel')} ${info.bitsPerSample} bits`;
  const rate = info.bitrate === 0 ? '' : ` ${bitrate(info.bitrate)}`;
  return `${mediaType} ${codec} ${media}${rate} timescale ${timescale} private data ${plural(extraDataSize, 'byte')}`;
}

function frameText(frame: FrameRecord): string {
  const id = frame.id === undefined ? '' : `#${frame.id} `;
  const key = frame.key ? 'key ' : '';
  const { dtsMs, ptsDelayMs = 0, driftMs } = frame;
  const times = dtsMs === undefined ? `dts ${frame.dts} units` : `dts ${ms(dtsMs)} pts ${signedMs(ptsDelayMs)}`;
  const drift = driftMs === undefined ? '' : ` drift ${signedMs(driftMs)}`;
  const skipped = frame.skipped === undefined ? '' : ` [skipped: ${frame.skipped}]`;
  return `${id}${key}${times}${drift} ${plural(frame.dataSize, 'byte')}${timeFaultText(frame.time)}${skipped}`;
}

function handshakeText({ version, time, software, size }: HandshakeRecord): string {
  const style = software === '0.0.0.0' ? 'plain' : `digest style, version ${software}`;
  return `version ${version}, ${style}, time ${time}, ${plural(size, 'byte')}`;
}

function messageText(message: MessageRecord): string {
  const { chunkStreamId, streamId, timestamp, size } = message;
  const parts = [`csid ${chunkStreamId} stream ${streamId} ts ${timestamp} ${plural(size, 'byte')}`];
  if (message.values !== undefined) parts.push(message.values.map(value).join(' '));
  for (const [name, field] of Object.entries(message.fields ?? {})) {
    parts.push(`${name} ${typeof field === 'string' ? printable(field) : value(field)}`);
  }
  return `${parts.join(' ')}${timeFaultText(message.time)}${problemText(message.problem)}`;
}

function timeFaultText(time: TimeFault | undefined): string {
  if (time === undefined) return '';
  return time.fault === 'gap' ? ` [gap: ${ms(time.ms)}]` : ` [goes back: ${ms(time.ms)}]`;
}

function problemText(problem: string | undefined): string {
  return problem === undefined ? '' : ` [wrong: ${printable(problem)}]`;
}

function quoted(text: string): string {
  return jsonLine(text);
}

function value(part: unknown): string {
  return part === undefined ? 'undefined' : short(jsonLine(part));
}

function short(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`;
}
