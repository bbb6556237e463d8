/** The final mix of MurmurHash3: each bit of the input changes each bit of the result with a probability of a half. */
function mix(value: number): number {
  let h = value;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** FNV-1a over a string's UTF-16 units, then mixed, as 32 bits: the same on every machine and in every version. */
export function hashOf(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  return mix(h);
}

/** The names of members by their hashes: a fleet asks for the same few names again and again. */
const memberHashes = new Map<string, number>();
/** Names that are kept. Nodes come and go, and the names of all that ever existed must not fill the memory. */
const MAX_MEMBERS = 4096;

function memberHash(member: string): number {
  let hash = memberHashes.get(member);
  if (hash === undefined) {
    if (memberHashes.size >= MAX_MEMBERS) memberHashes.clear();
    memberHashes.set(member, (hash = hashOf(member)));
  }
  return hash;
}

/**
 * The members in the order in which they are asked to own an id (rendezvous hashing): the weight of a member depends on
 * its name and the id alone. So every process computes the same order, and if a member is missing, only the ids move
 * that it would have owned. The id is hashed once, not once for each member.
 *
 * @param members names without repetition, in any order
 */
export function rendezvousOrder(id: string, members: readonly string[]): string[] {
  const idHash = hashOf(id);
  return members
    .map((name) => ({ name, weight: mix(idHash ^ memberHash(name)) }))
    .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
}

/**
 * The slot in which the tracks of an upstream meet: the first in the order of {@link rendezvousOrder}, for slots named
 * `0`, `1` and so on. A slot is the place of a worker, not its process: a worker that dies is replaced in its slot, and
 * connections for it wait until then. If the rule depended on the processes, tracks of one upstream that connect before
 * and after the replacement would be separated.
 *
 * @param slots the number of slots, 1 or more
 */
export function slotOf(upstreamId: string, slots: number): number {
  const idHash = hashOf(upstreamId);
  let best = 0;
  let most = -1;
  for (let slot = 0; slot < slots; slot++) {
    const weight = mix(idHash ^ memberHash(String(slot)));
    if (weight > most) {
      most = weight;
      best = slot;
    }
  }
  return best;
}
