import type { InputTrack } from 'mediabunny';
import { Codec } from '../media/codec.js';
import type { MediaInfo } from '../media/media-info.js';
import { defaultLayout } from './codec/audio-config.js';
import { fitInfo } from './fit.js';
import { frameRate } from './codec/frame-rate.js';
import { parseSps, spsOfAvcc } from './codec/h264.js';
import { parseHevcSps, spsOfHvcc } from './codec/h265.js';
import { TIMESCALE } from './source.js';

/**
 * The media info of a container's track, and the number of pictures that decoding is ahead, if the codec data contains
 * it.
 *
 * @param probePackets packets that are read to estimate bit rate and frame rate
 * @param isPipe true if the end of the track must not be looked for
 */
export async function containerInfo(
  track: InputTrack,
  codecId: number,
  extraData: Buffer,
  probePackets: number,
  isPipe: boolean,
): Promise<{ info: MediaInfo; reorder?: number }> {
  const stats = await track.computePacketStats(probePackets);
  const stated = isPipe ? null : ((await track.getAverageBitrate()) ?? (await track.getBitrate()));
  const bitrate = stated ?? stats.averageBitrate;
  const common = { codecId, timescale: TIMESCALE, bitrate, extraData };
  if (track.isAudioTrack()) {
    const channels = await track.getNumberOfChannels();
    const sampleRate = await track.getSampleRate();
    const channelLayout = defaultLayout(channels);
    return { info: fitInfo({ mediaType: 'audio', ...common, channels, bitsPerSample: 16, sampleRate, channelLayout }) };
  }
  const size = track.isVideoTrack()
    ? { width: await track.getCodedWidth(), height: await track.getCodedHeight() }
    : { width: 0, height: 0 };
  const metrics = track.isVideoTrack()
    ? await track.computeFrameRateMetrics({ targetPacketCount: probePackets })
    : null;
  const sps = codecId === Codec.H264 ? spsOfAvcc(extraData) : spsOfHvcc(extraData);
  const parameters = sps === undefined ? undefined : codecId === Codec.H264 ? parseSps(sps) : parseHevcSps(sps);
  const info = fitInfo({
    mediaType: 'video',
    ...common,
    ...size,
    ...frameRate(metrics?.bestGuessFrameRate ?? stats.averagePacketRate),
    ceaCaptions: 0,
  });
  return parameters?.reorder === undefined ? { info } : { info, reorder: parameters.reorder };
}
