/** The last status that the server sent, by `onStatus`, `_error` or a close. */
export interface LastStatus {
  readonly level: string;
  readonly code: string;
  readonly description: string;
}
