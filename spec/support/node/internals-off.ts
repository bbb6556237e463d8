import { internalsAllowed } from '../../../lib/node-internals/internals.js';

/** Why a spec of what only internals of Node make possible is skipped; false: they are on. */
export const internalsOff: string | false = internalsAllowed() ? false : 'the internals of Node are turned off';
