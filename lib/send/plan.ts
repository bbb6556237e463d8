import { KmpRtmpError } from '../base/errors.js';
import type { MediaType } from '../media/codec.js';
import type { MediaSource, SourceTrack } from '../source/source.js';
import { connectDataOf, streamName, type SendTarget } from './target.js';

/** One track, and the KMP connection that it is sent on. */
export interface PlannedTrack {
  readonly source: MediaSource;
  readonly track: SourceTrack;
  readonly channelId: string;
  readonly trackId: string;
  /** JSON. */
  readonly connectData: string | Buffer;
  /** Number of the stream on the upstream, from 0. */
  readonly stream: number;
}

/** Options of {@link planTracks}. */
export interface PlanOptions {
  /** Where to publish. Not needed for KMP dumps that have a connect packet. */
  readonly target?: SendTarget;
  /** Stream names, one for each stream or one for each file. */
  readonly names?: readonly string[];
  readonly onWarning?: (message: string) => void;
  /** Called for each track that is not sent because its stream has one of its type. Default: `onWarning`. */
  readonly onMissingTrack?: (message: string) => void;
}

const ID_BYTES = 32;

/**
 * Assigns each track of the files to a stream of the upstream. A stream has at most one video and one audio track. A
 * file joins the stream of the file before it if that stream lacks its types of track (a video dump and an audio dump
 * belong together). Otherwise it starts a stream of its own (renditions). With one name for each file, files with the
 * same name make one stream.
 *
 * @throws KmpRtmpError `send_no_target`, `send_names`, `send_no_stream`
 */
export function planTracks(sources: readonly MediaSource[], options: PlanOptions): PlannedTrack[] {
  const groups = group(sources, options);
  const { names = [] } = options;
  if (names.length > 0 && names.length !== groups.length && names.length !== sources.length)
    throw new KmpRtmpError(
      'send_names',
      `${names.length} names were given for ${groups.length} streams; give one for each, or one for each file`,
    );
  const perFile = names.length === sources.length;
  return groups.flatMap((members, stream) =>
    members.map(({ source, track, file }) => {
      const name = perFile ? names[file] : names[stream];
      return { source, track, stream, ...identity(source, track, stream, name, options.target) };
    }),
  );
}

interface Member {
  readonly source: MediaSource;
  readonly track: SourceTrack;
  readonly file: number;
}

function group(
  sources: readonly MediaSource[],
  { names = [], onWarning, onMissingTrack = onWarning }: PlanOptions,
): Member[][] {
  const groups: Member[][] = [];
  const perFile = names.length === sources.length && names.length > 0;
  for (const [file, source] of sources.entries()) {
    const tracks = firstOfEach(source, (type) =>
      onMissingTrack?.(
        `file ${file + 1} has more than one ${type} track; the first one is sent, the others are left out`,
      ),
    );
    const types = new Set(tracks.map(({ info }) => info.mediaType));
    const home = perFile
      ? groups.find((members) => members.some((member) => names[member.file] === names[file]))
      : groups.at(-1);
    const fits = home !== undefined && !home.some(({ track }) => types.has(track.info.mediaType));
    if (perFile && home !== undefined && !fits)
      throw new KmpRtmpError('send_names', `two files named "${names[file]}" have the same kind of track`);
    const members = tracks.map((track) => ({ source, track, file }));
    if (fits) home.push(...members);
    else groups.push(members);
  }
  return groups;
}

function firstOfEach(source: MediaSource, onMore: (type: MediaType) => void): SourceTrack[] {
  const found = new Map<MediaType, SourceTrack>();
  for (const track of source.tracks) {
    const type = track.info.mediaType;
    if (found.has(type)) onMore(type);
    else found.set(type, track);
  }
  return [...found.values()];
}

function identity(
  source: MediaSource,
  track: SourceTrack,
  stream: number,
  name: string | undefined,
  target: SendTarget | undefined,
): Pick<PlannedTrack, 'channelId' | 'trackId' | 'connectData'> {
  const trackId = `${track.info.mediaType === 'video' ? 'v' : 'a'}${stream + 1}`;
  if (target === undefined) {
    if (source.connect === undefined)
      throw new KmpRtmpError(
        'send_no_target',
        'an upstream id and an RTMP URL are needed (--upstream-id, --url), because the file contains none',
      );
    const { channelId, data } = source.connect;
    return { channelId, trackId: source.connect.trackId || trackId, connectData: data };
  }
  const streamed = name ?? (stream === 0 ? undefined : streamName(target.url, stream));
  // Throws if the URL has no stream name, before anything is sent.
  if (streamed === undefined) streamName(target.url, 0);
  return { channelId: cut(target.upstreamId), trackId, connectData: connectDataOf(target, streamed) };
}

/** The longest prefix of an id, in whole characters, that fits into a KMP id. */
function cut(id: string): string {
  let out = '';
  for (const character of id) {
    if (Buffer.byteLength(out + character) > ID_BYTES) break;
    out += character;
  }
  return out;
}
