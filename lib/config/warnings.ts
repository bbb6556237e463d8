/** What is said about a configuration that can be used. */
export class Warnings {
  readonly list: string[] = [];
  private readonly subjects = new Set<string>();

  readonly add = (warning: string): void => {
    this.list.push(warning);
  };

  /** @param subject of which one warning is enough */
  once(subject: string, warning: string): void {
    if (!this.subjects.has(subject)) this.add(warning);
    this.subjects.add(subject);
  }
}
