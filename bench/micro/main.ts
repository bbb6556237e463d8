/** `npm run bench:micro`: parts of the hot path alone, in frames a second. */
import { decoderBench } from './decoder.js';
import { mergeBench } from './merge.js';
import { timed } from './timing.js';
import { writerBench } from './writer.js';

const benches = [...[16_000, 340].map(decoderBench), ...[1, 30].map(mergeBench), ...[16_000, 340].map(writerBench)];

console.log('| part | frames/s (median) | lowest | highest |\n| --- | ---: | ---: | ---: |');
for (const bench of benches) {
  const { name, framesPerSecond, lowest, highest } = timed(bench);
  const cells = [framesPerSecond, lowest, highest].map((speed) => Math.round(speed).toLocaleString('en'));
  console.log(`| ${[name, ...cells].join(' | ')} |`);
}
