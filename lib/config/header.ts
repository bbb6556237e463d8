import { ValueError } from './errors.js';
import { hasControlCharacter, type ValueType } from './types.js';

/** A header of an HTTP request. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/** Headers that delimit the request. Setting them would corrupt it. */
const FRAMING = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade', 'te', 'trailer', 'expect']);

/** Type of a header: its name (a token of RFC 9110) and its value (text without line breaks). */
export const header: ValueType<Header> = {
  syntax: 'name value',
  expected: 'the name and the value of a header',
  args: [2, 2],
  secret: true,
  parse([name = '', value = '']) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
      throw new ValueError(
        'the first argument (not shown here) is not the name of a header; expected letters, digits and "-"',
      );
    if (FRAMING.has(name.toLowerCase()))
      throw new ValueError(`"${name}" cannot be set: it is reserved for the request itself`);
    // A header cannot carry characters above 0xff; a line break would begin another header.
    if (hasControlCharacter(value) || /[^\u0020-\u00ff]/.test(value)) {
      throw new ValueError(`the value of "${name}" may contain only printable characters of Latin-1 and spaces`);
    }
    return { name, value };
  },
};
