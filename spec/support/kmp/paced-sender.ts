/** A live encoder that a spec can kill or freeze: `node paced-sender.js FILE START_MS PORT CONNECT_DATA`. */
import { planTracks } from '../../../lib/send/plan.js';
import { Sender } from '../../../lib/send/sender.js';
import { openSource } from '../../../lib/source/open.js';

const [file = '', start = '0', port = '0', data = '{}'] = process.argv.slice(2);
const source = await openSource(file, { start: Number(start) });
const target = { upstreamId: 'u', url: 'rtmp://127.0.0.1/a/s' };
const tracks = planTracks([source], { target }).map((track) => ({ ...track, connectData: data }));
console.log('sending');
await new Sender({ host: '127.0.0.1', port: Number(port), tracks, client: { reconnect: true } }).run();
