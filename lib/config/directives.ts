import { blockDirectives, processDirectives, serverDirectives } from './directives/core.js';
import { fleetDirectives } from './directives/fleet.js';
import { httpServerDirectives, locationDirectives } from './directives/http.js';
import { inputDirectives, senderDirectives } from './directives/input.js';
import { notificationDirectives } from './directives/notifications.js';
import { outputDirectives } from './directives/output.js';
import type { Row, Rows } from './row.js';

/** All directives in groups, with the headings of the reference page. */
export const groups: readonly { readonly title: string; readonly rows: Rows }[] = [
  { title: 'Blocks', rows: blockDirectives },
  { title: 'Process', rows: processDirectives },
  { title: 'Servers', rows: serverDirectives },
  { title: 'KMP input', rows: { ...inputDirectives, ...senderDirectives } },
  { title: 'Upstreams', rows: outputDirectives },
  { title: 'Notifications', rows: notificationDirectives },
  { title: 'HTTP servers', rows: httpServerDirectives },
  { title: 'HTTP locations', rows: locationDirectives },
  { title: 'Fleet', rows: fleetDirectives },
];

/** All supported directives by name. Parser, checks, flags, variables and documentation use this table. */
export const directives: ReadonlyMap<string, Row> = new Map(groups.flatMap(({ rows }) => Object.entries(rows)));

/** The names of all directives, for suggestions. */
export const directiveNames: readonly string[] = [...directives.keys()];
