import { blockDirectives, processDirectives, serverDirectives } from './directives/core.js';
import { locationDirectives } from './directives/http.js';
import { inputDirectives } from './directives/input.js';
import { outputDirectives } from './directives/output.js';
import type { Row, Rows } from './row.js';

/** The groups of the table, with their headings on the reference page. */
export const groups: readonly { readonly title: string; readonly rows: Rows }[] = [
  { title: 'Blocks', rows: blockDirectives },
  { title: 'The process', rows: processDirectives },
  { title: 'Servers', rows: serverDirectives },
  { title: 'KMP input', rows: inputDirectives },
  { title: 'Upstreams', rows: outputDirectives },
  { title: 'HTTP locations', rows: locationDirectives },
];

/** Every directive that is known here, by name: what is parsed, checked, offered as flag and variable, and documented. */
export const directives: ReadonlyMap<string, Row> = new Map(groups.flatMap(({ rows }) => Object.entries(rows)));

/** Names of all directives, for suggestions. */
export const directiveNames: readonly string[] = [...directives.keys()];
