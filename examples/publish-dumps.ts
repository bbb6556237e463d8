// Publishes KMP dump files, one for each track, to an RTMP server with a pipeline of three stages.
//
//   node dist/examples/publish-dumps.js rtmp://127.0.0.1/live/test video.kmp audio.kmp
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { KmpDecoder, rtmpPublisher, StreamMerger } from 'kmp-rtmp';

const [url = '', ...files] = process.argv.slice(2);

const merger = new StreamMerger(url);
// Create all tracks before the first byte is written, so that the merger waits for all of them.
const tracks = files.map((file) => ({ file, track: merger.track() }));

await Promise.all([
  pipeline(merger, rtmpPublisher(url, { merger })),
  ...tracks.map(({ file, track }) => pipeline(createReadStream(file), new KmpDecoder({ dump: true }), track)),
]);
console.log(`${files.length} tracks published to ${new URL(url).host}`);
