/** Bytes that a waiting frame takes beside its data: its objects, their header and their place in a list. Measured. */
const PER_FRAME = 256;

/** Bytes of memory that a frame takes while it waits. Limits on memory count them: frames can be of one byte each. */
export function heldBytes(frame: { readonly data: Buffer }): number {
  return frame.data.length + PER_FRAME;
}
