import { readdirSync, readFileSync } from 'node:fs';

/** One page of documentation. */
export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

export interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const atRoot = readdirSync('.').filter((name) => name.endsWith('.md'));
const inDocs = readdirSync('docs').filter((name) => name.endsWith('.md'));
const ofProtocols = readdirSync('docs/protocol').filter((name) => name.endsWith('.md'));

/** All pages that are written for readers. */
export const pages: readonly Page[] = [
  ...atRoot,
  ...inDocs.map((name) => `docs/${name}`),
  ...ofProtocols.map((name) => `docs/protocol/${name}`),
].map((path) => ({ path, text: readFileSync(path, 'utf8') }));

/** The fenced blocks of a page, taken out of the list item that they may stand in. */
export function blocks({ path, text }: Page): Block[] {
  return [...text.matchAll(/^( *)```(\w*)\n([^]*?)^\1```/gm)].map(([, indent = '', language = '', body = '']) => ({
    page: path,
    language,
    text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** A page without its fenced blocks. */
export function prose({ text }: Page): string {
  return text.replaceAll(/^( *)```\w*\n[^]*?^\1```/gm, '');
}
