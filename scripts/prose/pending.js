/**
 * Files and folders that have not been revised for the word list and the width of lines yet. Take out what is done; add
 * nothing.
 */
export const PENDING = [];
