/** A value with its labels. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface Metric {
  readonly type: 'counter' | 'gauge';
  /** Without the prefix `kmp_rtmp_`. */
  readonly name: string;
  readonly help: string;
}

/** A metric with any number of samples, computed from `From`. */
export interface SampledMetric<From> extends Metric {
  readonly labels: readonly string[];
  readonly samples: (from: From) => readonly Sample[];
}

/** A metric with one value, computed from `From`. */
export interface SingleValueMetric<From> extends Metric {
  readonly value: (from: From) => number;
}
