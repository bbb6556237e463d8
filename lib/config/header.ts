import { ValueError } from './errors.js';
import { hasControl, type ValueType } from './types.js';

/** A header of an HTTP request. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/** Headers that the request is framed by: to set them would make it another request. */
const FRAMING = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade', 'te', 'trailer', 'expect']);

/** Name and value of a header (RFC 9110: a token, and text without line breaks). */
export const header: ValueType<Header> = {
  syntax: 'name value',
  expected: 'the name and the value of a header',
  args: [2, 2],
  parse([name = '', value = '']) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new ValueError(`"${name}" is not the name of a header`);
    if (FRAMING.has(name.toLowerCase())) throw new ValueError(`"${name}" cannot be set: the request itself needs it`);
    // Bytes past 0xff cannot be sent in a header; a line break would begin another one.
    if (hasControl(value) || /[^\u0020-\u00ff]/.test(value)) {
      throw new ValueError(`the value of "${name}" may hold visible characters of Latin-1 and blanks only`);
    }
    return { name, value };
  },
};
