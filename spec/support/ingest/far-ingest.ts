/** An ingest for half-open.spec.ts, in another network namespace: `node far-ingest.js ADDRESS PORT`. */
import { Ingest } from '../../../lib/ingest/ingest.js';

const [address = '', port = '0'] = process.argv.slice(2);
const ingest = new Ingest({ timeout: 600_000 });
ingest.on('stream', (stream) => stream.resume());
await ingest.listen(Number(port), address);
console.log('listening');
