import { el, type Live } from '../dom.js';
import type { Dropper } from '../orders/drop.js';
import { bitrate, bytes, count, frames, milliseconds } from '../data/format.js';
import type { Track } from '../data/track.js';
import type { TrackFormat } from '../data/wire.js';
import type { Stream, Upstream } from '../data/upstream.js';

type Fact = readonly [title: string, read: (track: Track) => string];

const FACTS: readonly Fact[] = [
  ['Bitrate in', ({ bitrateIn }) => bitrate(bitrateIn)],
  ['Bitrate out', ({ bitrateOut }) => bitrate(bitrateOut)],
  ['Frames in', ({ framesIn }) => `${frames(framesIn)} per second`],
  ['Frames out', ({ framesOut }) => `${frames(framesOut)} per second`],
  ['Delay', ({ delay }) => milliseconds(delay)],
  ['Queued', ({ counters }) => `${count(counters.pendingFrames)} frames, ${bytes(counters.memUsed)}`],
  ['Received', ({ counters: { receivedFrames, receivedKeyFrames } }) => received(receivedFrames, receivedKeyFrames)],
  ['Sent', ({ counters }) => `${count(counters.sentFrames)} frames`],
  ['Dropped', ({ counters }) => `${count(counters.droppedFrames)} frames`],
  ['Skipped', skipped],
];

/** The section of a stream with its tracks in the details of an upstream. */
export function streamSection(upstream: Upstream, stream: Stream, live: Live<Upstream>, dropper: Dropper): HTMLElement {
  const section = el('section', { class: 'stream' }, el('h3', {}, 'Stream ', el('span', {}, stream.info.name)));
  for (const track of stream.tracks) section.append(trackCard(upstream, track, live, dropper));
  return section;
}

function trackCard(upstream: Upstream, track: Track, live: Live<Upstream>, dropper: Dropper): HTMLElement {
  const { media, codec, input } = track.info;
  const facts = el('dl', { class: 'facts-list' });
  const add = (title: string, value: Node | string): void =>
    facts.append(el('div', {}, el('dt', {}, title), el('dd', {}, value)));
  for (const [title, value] of formatFacts(track.info.format)) add(title, value);
  for (const [title, read] of FACTS)
    add(
      title,
      live.text(() => read(track)),
    );
  add('Sender', input?.remoteAddr ?? 'away');
  if (input) {
    add('Channel', input.channelId);
    add('Track', input.trackId);
    add('Connection', String(input.connection));
  }
  const header = el('header', {}, el('h4', {}, media), el('span', { class: 'tag' }, codec));
  if (input && dropper.can(upstream)) {
    const button = el('button', { type: 'button', class: 'danger' }, `Drop ${media}`);
    button.addEventListener('click', () => dropper.track(upstream, track));
    header.append(button);
  }
  return el('article', { class: 'track' }, header, facts);
}

/** What the media info of the sender says. */
function formatFacts(format: TrackFormat | undefined): (readonly [string, string])[] {
  if (format === undefined) return [];
  const { width = 0, height = 0, frame_rate: rate = 0, key_frame_interval: interval } = format;
  const { channels = 0, sample_rate: samples = 0 } = format;
  return [
    ...(width > 0 ? [['Resolution', `${width} × ${height}`] as const] : []),
    ...(rate > 0 ? [['Frame rate', `${frames(rate)} per second`] as const] : []),
    ...(interval === undefined
      ? []
      : [['Key frames', interval === null ? '–' : `every ${milliseconds(interval)}`] as const]),
    ...(samples > 0 ? [['Sound', `${(samples / 1000).toFixed(1)} kHz, ${channelsName(channels)}`] as const] : []),
    ...(format.bitrate > 0 ? [['Announced', bitrate(format.bitrate)] as const] : []),
  ];
}

function channelsName(channels: number): string {
  return channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`;
}

function received(all: number, key: number): string {
  return key > 0 ? `${count(all)} frames, ${count(key)} key` : `${count(all)} frames`;
}

function skipped({ counters }: Track): string {
  const reasons: [string, number][] = [
    ['duplicate', counters.duplicate],
    ['empty', counters.empty],
    ['without duration', counters.emptyDuration],
    ['before media info', counters.noMediaInfo],
    ['before a key frame', counters.noKey],
  ];
  const some = reasons.filter(([, number]) => number > 0).map(([reason, number]) => `${count(number)} ${reason}`);
  return some.join(', ') || 'none';
}
