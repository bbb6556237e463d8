// What a Debian package with a program depends on: the shared libraries that the program names, in the versions whose
// symbols it uses.

/** The version of libstdc++6 in which a version of its symbols came (GCC's pages, ABI Policy and Guidelines). */
const LIBSTDCXX = {
  21: '5',
  22: '6',
  23: '7',
  24: '7.2',
  25: '8',
  26: '9',
  27: '9.2',
  28: '9.3',
  29: '11',
  30: '12',
  31: '13.1',
  32: '13.2',
  33: '14',
};

/** @param program the content of the program */
export function dependsOf(program) {
  const text = program.toString('latin1');
  const libc = newest(text, /GLIBC_2\.(\d+)\0/g);
  const symbols = newest(text, /GLIBCXX_3\.4\.(\d+)\0/g);
  const libstdcxx = LIBSTDCXX[symbols];
  if (libc === 0 || libstdcxx === undefined) {
    throw new Error(`the program needs unknown libraries: GLIBC_2.${libc}, GLIBCXX_3.4.${symbols}`);
  }
  // Node from version 25 on.
  const atomic = text.includes('\0libatomic.so.1\0') ? ['libatomic1'] : [];
  return [...atomic, `libc6 (>= 2.${libc})`, 'libgcc-s1', `libstdc++6 (>= ${libstdcxx})`];
}

function newest(text, pattern) {
  return Math.max(0, ...[...text.matchAll(pattern)].map(([, number]) => Number(number)));
}
