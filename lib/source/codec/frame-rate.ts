/** Largest error of a rate that was measured with timestamps in ms, frames per second. */
const TOLERANCE = 0.012;

/**
 * Pictures per second as a fraction: n/1 or n*1000/1001 if the rate is close to one, else in thousandths. 0/1 if
 * unknown.
 */
export function frameRate(rate: number): { frameRateNum: number; frameRateDenom: number } {
  if (!(rate > 0 && rate < 100_000)) return { frameRateNum: 0, frameRateDenom: 1 };
  const whole = Math.round(rate);
  const ntsc = Math.round(rate * 1.001);
  const offWhole = Math.abs(rate - whole);
  const offNtsc = Math.abs(rate - (ntsc * 1000) / 1001);
  if (Math.min(offWhole, offNtsc) > TOLERANCE) return { frameRateNum: Math.round(rate * 1000), frameRateDenom: 1000 };
  if (offWhole <= offNtsc) return { frameRateNum: whole, frameRateDenom: 1 };
  return { frameRateNum: ntsc * 1000, frameRateDenom: 1001 };
}
