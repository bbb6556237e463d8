// Writes the tracks of a media file as KMP dumps, one file for each track.
//
//   node dist/examples/file-to-kmp.js movie.mp4 dumps/movie
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { openSource, toKmp } from 'kmp-rtmp';

const [file = '', base = ''] = process.argv.slice(2);

const source = await openSource(file, { strict: true });
try {
  const names = source.tracks.map(({ info }, n) => `${base}-${n + 1}-${info.mediaType}.kmp`);
  await Promise.all(toKmp(source).map((track, n) => pipeline(track, createWriteStream(names[n] ?? ''))));
  console.log(`wrote ${names.join(' and ')}`);
} finally {
  await source.close();
}
