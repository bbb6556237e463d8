// Loaded before each spec file. It ends a file that hangs, also after its last test (a socket left open), and prints
// what the file waited for. Node's own --test-timeout applies to single tests only.
const limit = Number(process.env.SPEC_FILE_TIMEOUT ?? 150_000);

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  setTimeout(() => {
    const held = process.getActiveResourcesInfo().join(', ');
    console.error(`${process.argv[1]} has not ended after ${limit} ms; still open: ${held}`);
    process.exit(1);
  }, limit).unref();
}
