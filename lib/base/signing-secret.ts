/** A secret that connect data is signed with, and the sender or controller that has it (docs/control.md). */
export interface SigningSecret {
  /**
   * Its holder, for the log and for `kmp_rtmp_in_owner`; empty: no name was given. Several secrets may have the same
   * name: those of one party during a rotation.
   */
  readonly name: string;
  readonly secret: string;
}
