/**
 * The parts of Node that this service uses although Node does not document them. Each makes something cheaper or
 * possible. Each has a test that runs once per process (self-test.ts), and a documented way that replaces it. The V8
 * flags (heap.ts) obey the same switch and have their own test.
 */
export const INTERNALS = {
  'turn reads': 'a socket is read from its descriptor, in turns; without: by Node, whenever bytes arrive',
  'shared reads':
    'Node reads sockets that have no turns into one buffer; without: each read of Node allocates its own buffer',
  handover: 'a socket stops reading at once, to move to another worker; without: one process does all the work',
  'direct writes': 'a batch goes to the kernel by one call of the socket; without: through the queue of the stream',
  'direct acks': 'acks and batches are written to the descriptor; without: through the stream',
  'buffer copies': 'bytes are copied from one buffer to another by one call; without: with an object for each copy',
  'write progress':
    'the part of a write that the kernel has taken is known; without: writes are cut into pieces, and none is direct',
} as const;

export type Internal = keyof typeof INTERNALS;

/** The results of the tests. */
export interface InternalsReport {
  readonly inUse: readonly Internal[];
  /** Those whose test failed, with the reason. */
  readonly failed: readonly { readonly name: Internal; readonly reason: string }[];
  /** True if `kmp_rtmp_node_internals` is off: nothing is tested, and nothing is in use. */
  readonly off: boolean;
}

/** The environment variable that turns them off. It works in programs that use the library, too. */
export const SWITCH = 'KMP_RTMP_NODE_INTERNALS';

const state = { on: process.env[SWITCH] !== 'off' };
const passed = new Set<Internal>();
const failed = new Map<Internal, string>();

/** Whether internals may be used at all. */
export function internalsAllowed(): boolean {
  return state.on;
}

/**
 * Turns all of them on or off (`kmp_rtmp_node_internals`). Takes effect at once, but open sockets stay as they are.
 */
export function allowInternals(on: boolean): void {
  state.on = on;
}

/** True if the internal has passed its test and is not turned off. */
export function inUse(name: Internal): boolean {
  return state.on && passed.has(name);
}

/** Stores the result of a test. @param reason why it failed; undefined: it passed */
export function setTested(name: Internal, reason: string | undefined): void {
  if (reason === undefined) {
    passed.add(name);
    failed.delete(name);
  } else {
    passed.delete(name);
    failed.set(name, reason);
  }
}

export function internalsReport(): InternalsReport {
  if (!state.on) return { inUse: [], failed: [], off: true };
  const names = Object.keys(INTERNALS) as Internal[];
  return {
    inUse: names.filter((name) => passed.has(name)),
    failed: names.flatMap((name) => {
      const reason = failed.get(name);
      return reason === undefined ? [] : [{ name, reason }];
    }),
    off: false,
  };
}
