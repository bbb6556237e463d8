#!/usr/bin/env node
import '../lib/process/no-debugger.js';
import { main } from '../lib/cli/main.js';

await main(process.argv);
