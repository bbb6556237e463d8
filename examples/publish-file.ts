// Publishes a media file (mp4, mkv, flv, ts and others) to an RTMP server in real time.
//
//   node dist/examples/publish-file.js movie.mp4 rtmp://127.0.0.1/live/test
import { publishFile } from 'kmp-rtmp';

const [file = '', url = ''] = process.argv.slice(2);

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

await publishFile(file, url, { signal: stop.signal });
console.log(`${file} was published`);
