#!/usr/bin/env node
import '../lib/process/no-debugger.js';
import '../lib/cli/start-small.js';

// Loaded by a call, since all that is imported above is loaded before any of it runs.
const { main } = await import('../lib/cli/main.js');
await main(process.argv);
