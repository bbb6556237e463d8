import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join('spec', 'fixtures', 'fuzz');

/**
 * The inputs kept of a target, which `npm test` tries each time: one in a line, base64, behind it what made it worth
 * keeping (an outcome that few inputs have, or a fault that was found with it).
 */
export function keptInputs(target: string): Buffer[] {
  const path = join(FOLDER, `${target}.txt`);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line.split(' ', 1)[0] ?? '', 'base64'));
}

export function keepInput(target: string, input: Buffer, why: string): void {
  mkdirSync(FOLDER, { recursive: true });
  const words = why.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 100);
  appendFileSync(join(FOLDER, `${target}.txt`), `${input.toString('base64')} ${words.trim()}\n`);
}
