/** All that an asynchronous source gives (Array.fromAsync, which Node 20 does not have). */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}
