/**
 * Units of 1/90000 s. A larger step between two frames of a track is a jump of its clock. Presentation times step back,
 * too: by up to 16 frames.
 */
const LARGEST_STEP = 900_000;
const LARGEST_STEP_BACK = 135_000;
/** Between the last frame before a jump and the first one behind it. */
const STEP = 3600;
/** Jumps that are remembered, for the other tracks. */
const KEPT = 16;

/**
 * Makes the timestamps of a live source continuous: those of a transport stream wrap after 26.5 hours, and begin again
 * when its encoder does. All tracks of the source have one clock, so they get the same correction.
 */
export class Continuity {
  private corrections: number[] = [0];

  /** Returns a function that corrects the timestamps of one track, in units of 1/90000 s, in their order. */
  track(): (time: number) => number {
    let correction = 0;
    let last: number | undefined;
    let latest = -Infinity;
    return (time) => {
      if (last !== undefined && !isNear(time + correction, last)) {
        const before = last;
        // Another track may have met the same jump already.
        const known = this.corrections.findLast((one) => isNear(time + one, before));
        correction = known ?? latest + STEP - time;
        if (known === undefined) this.corrections = [...this.corrections, correction].slice(-KEPT);
      }
      last = time + correction;
      latest = Math.max(latest, last);
      return last;
    };
  }
}

/** Whether a frame of this time may follow the frame of the other time. */
function isNear(time: number, before: number): boolean {
  return time - before <= LARGEST_STEP && before - time <= LARGEST_STEP_BACK;
}
