import type { MediaInfo } from '../media/media-info.js';
import type { InputFields, PublishTargets, TrackFields } from './controller.js';

type Json = Readonly<Record<string, unknown>>;

/** Body of the question about a connection (docs/protocol/servers.md, KMP sender). */
export function connectBody(input: InputFields): Json {
  return { event_type: 'connect', input_type: 'rtmp', rtmp: rtmpFields(input) };
}

/** Body of the question where to send a track. */
export function publishBody(track: TrackFields): Json {
  return {
    event_type: 'publish',
    input_id: inputId(track),
    ...inputFields(track),
    media_info: mediaInfoFields(track.info),
  };
}

/** Body of the question where an upstream is now. */
export function republishBody(
  track: TrackFields,
  { channelId, trackId }: Omit<PublishTargets, 'upstreams'>,
  upstreamId: string,
): Json {
  return {
    ...{ event_type: 'republish', id: upstreamId, input_id: inputId(track), channel_id: channelId, track_id: trackId },
    ...inputFields(track),
    media_info: mediaInfoFields(track.info),
  };
}

/** Body of the message that a track has ended. */
export function unpublishBody(track: TrackFields, reason: string): Json {
  return { event_type: 'unpublish', input_id: inputId(track), reason, ...inputFields(track) };
}

function inputId({ input, name, info }: TrackFields): string {
  return `${input.tcUrl}/${name}/${info.mediaType}`;
}

function inputFields({ input, name, args, publishType }: TrackFields): Json {
  return { input_type: 'rtmp', rtmp: { ...rtmpFields(input), name, type: publishType, args } };
}

function rtmpFields(input: InputFields): Json {
  const { app, flashVer, swfUrl, tcUrl, pageUrl, address, connection } = input;
  return { app, flashver: flashVer, swf_url: swfUrl, tc_url: tcUrl, page_url: pageUrl, addr: address, connection };
}

function mediaInfoFields(info: MediaInfo): Json {
  const { mediaType, bitrate, codecId, extraData } = info;
  const common = { media_type: mediaType, bitrate, codec_id: codecId, extra_data: extraData.toString('hex') };
  if (info.mediaType === 'video') {
    const { width, height, frameRateNum, frameRateDenom, ceaCaptions } = info;
    const frameRate = frameRateDenom === 0 ? 0 : frameRateNum / frameRateDenom;
    return { ...common, width, height, frame_rate: frameRate, cea_captions: ceaCaptions !== 0 };
  }
  const { channels, channelLayout, bitsPerSample, sampleRate } = info;
  return {
    ...{ ...common, channels, channel_layout: channelLayout.toString(16) },
    ...{ bits_per_sample: bitsPerSample, sample_rate: sampleRate },
  };
}
