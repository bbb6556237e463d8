/** Hands out small integers from `first` up, the lowest free one first; returned ones are used again. */
export class IdPool {
  private readonly used = new Set<number>();

  constructor(private readonly first: number) {}

  take(): number {
    let id = this.first;
    while (this.used.has(id)) id++;
    this.used.add(id);
    return id;
  }

  giveBack(id: number): void {
    this.used.delete(id);
  }
}
