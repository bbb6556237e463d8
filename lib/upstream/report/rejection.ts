/** Rules that reject a sender that was accepted before, as metrics call them. */
export const REJECTIONS = [
  'signature',
  'owner',
  'max_streams',
  'track_memory',
  'fleet_misplaced',
  'fleet_stale',
] as const;

export type Rejection = (typeof REJECTIONS)[number];

/** How often each rule has rejected a sender. */
export type Rejections = Record<Rejection, number>;

/** A number for each rule. */
export function rejections(count: (rejection: Rejection) => number): Rejections {
  const all = REJECTIONS.map((rejection) => [rejection, count(rejection)]);
  return Object.fromEntries(all) as Rejections;
}
