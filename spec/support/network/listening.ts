import { readFileSync } from 'node:fs';
import { eventually } from '../time/eventually.js';

/**
 * Waits until something listens on a port. It is not connected to for that: ffmpeg as a server takes one client only.
 */
export async function listening(port: number): Promise<void> {
  const there = new RegExp(`^ *\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `, 'm');
  await eventually(() => there.test(readFileSync('/proc/net/tcp', 'latin1')), `a listener on port ${port}`);
}
