// process.hrtime reads the machine's one monotonic clock, so that a time taken in one process can be compared with a
// time taken in another. performance.now reads the same clock from another zero, and allocates nothing.
const zero = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Monotonic ms, with fractions, on a scale that all processes of this machine share. */
export const machineMs = (): number => zero + performance.now();

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
