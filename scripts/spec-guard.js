// Loaded ahead of each spec file: one that hangs, behind its last test too (a socket left open), is ended after a time and
// says what it hung on. Node's own --test-timeout is for single tests.
const limit = Number(process.env.SPEC_FILE_TIMEOUT ?? 150_000);

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  setTimeout(() => {
    const held = process.getActiveResourcesInfo().join(', ');
    console.error(`${process.argv[1]} has not ended after ${limit} ms; still open: ${held}`);
    process.exit(1);
  }, limit).unref();
}
