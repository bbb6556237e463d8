/** Collects the warnings about a valid configuration. */
export class Warnings {
  readonly list: string[] = [];
  private readonly subjects = new Set<string>();

  readonly add = (warning: string): void => {
    this.list.push(warning);
  };

  /** Adds a warning unless one with the same subject exists. */
  once(subject: string, warning: string): void {
    if (!this.subjects.has(subject)) this.add(warning);
    this.subjects.add(subject);
  }
}
