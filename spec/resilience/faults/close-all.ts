/**
 * Runs the steps that end a spec, in order, also if one of them fails. Then it fails as the first one did. Otherwise,
 * what a failed step leaves open would keep the process of the spec alive until the timeout of its file.
 */
export async function closeAll(...steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
