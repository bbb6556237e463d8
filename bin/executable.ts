// The main program of the single executable (`npm run package:executable`). It is one file of CommonJS without
// top-level await, because Node runs no other form. `cluster` starts the executable itself for each worker.
import '../lib/process/no-debugger.js';
import '../lib/cli/start-small.js';
import './embedded-files.js';
import cluster from 'node:cluster';

if (cluster.isWorker) void import('../lib/cli/worker-main.js');
else void import('../lib/cli/main.js').then(({ main }) => main(process.argv));
