import { BitReader, BitWriter } from './bits.js';

/** Sampling frequencies by index (ISO/IEC 14496-3, table 1.18). */
const RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
const EXPLICIT_RATE = 15;
const ESCAPED_TYPE = 31;

/** Audio object types (ISO/IEC 14496-3, table 1.17). */
const LC = 2;
const SBR = 5;
const PS = 29;

/** id_syn_ele (ISO/IEC 14496-3, table 4.85): one channel, two channels, low-frequency effects. */
const SCE = 0;
const CPE = 1;
const LFE = 3;
const END = 7;

/** The syntactic elements of a frame by channel configuration (ISO/IEC 14496-3, table 1.19); 0: the stream has them. */
const ELEMENTS: readonly (readonly number[])[] = [
  [],
  [SCE],
  [CPE],
  [SCE, CPE],
  [SCE, CPE, SCE],
  [SCE, CPE, CPE],
  [SCE, CPE, CPE, LFE],
  [SCE, CPE, CPE, CPE, LFE],
];

/** The parts of an AudioSpecificConfig that a silent frame depends on. */
export interface AacConfig {
  /** Samples per second of the core, without spectral band replication. */
  readonly sampleRate: number;
  /** Samples of a frame at that rate. */
  readonly samples: 1024 | 960;
  /** 1 to 7 */
  readonly channelConfiguration: number;
}

/**
 * Reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) whose core is AAC-LC, with a channel configuration of the
 * standard. undefined for any other one.
 */
export function readAacConfig(config: Buffer): AacConfig | undefined {
  const bits = new BitReader(config);
  const type = (): number => {
    const short = bits.bits(5);
    return short === ESCAPED_TYPE ? 32 + bits.bits(6) : short;
  };
  const rate = (): number | undefined => {
    const index = bits.bits(4);
    return index === EXPLICIT_RATE ? bits.bits(24) : RATES[index];
  };
  let core = type();
  const sampleRate = rate();
  const channelConfiguration = bits.bits(4);
  if (core === SBR || core === PS) {
    rate();
    core = type();
  }
  const samples = bits.flag() ? 960 : 1024;
  if (bits.overrun || core !== LC || sampleRate === undefined || sampleRate === 0) return undefined;
  if (ELEMENTS[channelConfiguration] === undefined || channelConfiguration === 0) return undefined;
  return { sampleRate, samples, channelConfiguration };
}

/**
 * A raw AAC-LC frame of silence: each channel has no spectral data (max_sfb 0), so all of its samples are 0
 * (ISO/IEC 14496-3, 4.4.2).
 *
 * @param channelConfiguration 1 to 7
 */
export function silentAac(channelConfiguration: number): Buffer {
  const out = new BitWriter();
  const tags = [0, 0, 0, 0];
  for (const element of ELEMENTS[channelConfiguration] ?? []) {
    out.bits(element, 3);
    out.bits(tags[element] ?? 0, 4);
    tags[element] = (tags[element] ?? 0) + 1;
    if (element === CPE) {
      out.bits(1, 1); // common_window
      icsInfo(out);
      out.bits(0, 2); // ms_mask_present
      channel(out, true);
      channel(out, true);
    } else {
      channel(out, false);
    }
  }
  out.bits(END, 3);
  return out.bytes();
}

/** individual_channel_stream (table 4.50). With max_sfb 0, section_data and scale_factor_data are empty. */
function channel(out: BitWriter, common: boolean): void {
  out.bits(0, 8); // global_gain
  if (!common) icsInfo(out);
  out.bits(0, 3); // pulse_data_present, tns_data_present, gain_control_data_present
}

/**
 * ics_info (table 4.6): ics_reserved_bit, ONLY_LONG_SEQUENCE (2), window_shape, max_sfb (6), predictor_data_present.
 */
function icsInfo(out: BitWriter): void {
  out.bits(0, 11);
}
