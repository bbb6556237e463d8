/** `1 frame`, `2 frames`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Milliseconds as seconds with three places: `12.345 s`. */
export function ms(value: number): string {
  return `${(value / 1000).toFixed(3)} s`;
}

/** A difference with up to three places: `+33 ms`, `-4.5 ms`, `+0 ms`. */
export function signedMs(value: number): string {
  return `${value < 0 ? '' : '+'}${Number(value.toFixed(3))} ms`;
}

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Bytes: `512 B`, `1.5 MiB`. */
export function size(bytes: number): string {
  let unit = 0;
  let rest = bytes;
  while (rest >= 1024 && unit < SIZES.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${unit === 0 ? rest : rest.toFixed(1)} ${SIZES[unit] ?? ''}`;
}

/** Bits per second: `128 kbit/s`, `4.25 Mbit/s`. */
export function bitrate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`;
  return `${(bitsPerSecond / 1000).toFixed(bitsPerSecond < 10_000 ? 1 : 0)} kbit/s`;
}
