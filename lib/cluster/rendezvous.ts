/** FNV-1a over a string's UTF-16 units, then mixed, as 32 bits: the same on every machine and in every version. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The slot in which the tracks of an upstream meet: the one with the highest hash of id and slot (rendezvous hashing).
 * A slot is the place of a worker, not its process: a worker that dies is replaced in its slot, and connections for it
 * wait until then. If the rule depended on the processes, tracks of one upstream that connect before and after the
 * replacement would be separated.
 *
 * @param slots the number of slots, 1 or more
 */
export function slotOf(upstreamId: string, slots: number): number {
  let best = 0;
  let most = -1;
  for (let slot = 0; slot < slots; slot++) {
    const weight = hash(`${slot}\0${upstreamId}`);
    if (weight > most) {
      most = weight;
      best = slot;
    }
  }
  return best;
}
