import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/**
 * Opens a file to read it, if it is a regular file. A read of a pipe waits for its writer, for ever if there is none,
 * and a device can be endless: either would stop the event loop, and the media with it.
 *
 * @returns the file descriptor, which the caller closes
 * @throws Error of node:fs; Error that says that it is not a regular file
 */
export function openRegularFile(path: string): number {
  // Without O_NONBLOCK, opening a pipe waits too. It has no effect on regular files; Windows does not have it.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const kind = fstatSync(file);
    if (kind.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    if (!kind.isFile()) throw new Error('it is not a regular file');
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** Reads a regular file as a whole. @throws the errors of {@link openRegularFile} */
export function readRegularFile(path: string): Buffer {
  const file = openRegularFile(path);
  try {
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
