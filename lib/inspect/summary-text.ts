import { printable } from './printable.js';
import type { SummaryRecord } from './record.js';
import type { TrackSummary } from './track-stats.js';
import { bitrate, ms, plural, signedMs, size } from './units.js';

/** The summary of a dump: a line for the whole, then a block for each track. */
export function summaryText({ format, size: bytes, counts, tracks, problems }: SummaryRecord): string {
  const counted = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const state = problems === 0 ? 'nothing wrong' : plural(problems, 'problem');
  const lines = [
    `${format === 'kmp' ? 'KMP' : 'RTMP'} dump, ${size(bytes)} (${plural(bytes, 'byte')}), ${state}`,
    `  ${format === 'kmp' ? 'packets' : 'messages'}      ${counted.length === 0 ? 'none' : counted.join(', ')}`,
  ];
  return [...lines, ...tracks.flatMap(trackLines)].join('\n');
}

function trackLines(track: TrackSummary): string[] {
  const { keyFrames, gaps, backwards, dtsMs, created, driftMs, keyIntervalMs, framesPerSecond } = track;
  const rows: [name: string, text: string | undefined][] = [
    ['frames', `${track.frames}${track.mediaType === 'video' ? `, ${keyFrames} key` : ''}, ${size(track.bytes)}`],
    ['duration', `${ms(track.durationMs)}${framesPerSecond === undefined ? '' : `, ${framesPerSecond} frames/s`}`],
    ['bit rate', track.bitrate && `${bitrate(track.bitrate.average)}, best second ${bitrate(track.bitrate.peak)}`],
    ['key interval', keyIntervalMs && spread(keyIntervalMs)],
    ['dts', dtsMs && `${ms(dtsMs.first)} to ${ms(dtsMs.last)}`],
    ['created', created && `${created.first} to ${created.last}`],
    ['drift', driftMs && `${signedMs(driftMs.last)} at the end (${signedMs(driftMs.min)} to ${signedMs(driftMs.max)})`],
    ['gaps', gaps.count === 0 ? 'none' : `${gaps.count}, longest ${ms(gaps.longestMs)}`],
    [
      'goes back',
      backwards.count === 0 ? 'never' : `${plural(backwards.count, 'time')}, at most ${ms(backwards.farthestMs)}`,
    ],
    ['skipped', skippedText(track)],
  ];
  const shown = rows.filter(([, text]) => text !== undefined);
  return [
    `${printable(track.name)}: ${track.mediaType} ${printable(track.codec)}`,
    ...shown.map(([name, text]) => `  ${name.padEnd(12)}  ${text ?? ''}`),
  ];
}

function spread({ min, max, avg }: { min: number; max: number; avg: number }): string {
  return `${ms(avg)} on average (${ms(min)} to ${ms(max)})`;
}

function skippedText({ skipped }: TrackSummary): string | undefined {
  const reasons = Object.entries(skipped).map(([reason, count]) => `${reason} ${count}`);
  return reasons.length === 0 ? undefined : reasons.join(', ');
}
