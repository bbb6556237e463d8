/** Allocates small integers from `first` up, the lowest free one first. Released ones are allocated again. */
export class IdPool {
  private readonly used = new Set<number>();

  constructor(private readonly first: number) {}

  acquire(): number {
    let id = this.first;
    while (this.used.has(id)) id++;
    this.used.add(id);
    return id;
  }

  release(id: number): void {
    this.used.delete(id);
  }
}
