// `npm start` and `npm run demo`: the command line of the project, built before if it has to be. It runs in this very
// process, so that signals reach it.
import { fileURLToPath } from 'node:url';
import './ensure-build.js';

const program = new URL('../dist/bin/kmp-rtmp.js', import.meta.url);
// The pid file compares the names of programs.
process.argv[1] = fileURLToPath(program);
await import(program);
