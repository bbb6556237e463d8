import type { NodeInfo, PartsInfo } from './wire.js';

/** What the list of upstreams lacks, and why; empty: nothing. */
export function lacksOf({ nodes, missingWorkers }: PartsInfo): string {
  const missing = nodes.filter((node) => node.missing !== null);
  const texts = missing.map(({ name, missing: reason }) => `Node ${name} is missing: ${reason ?? ''}.`);
  const workers = [
    ...missingWorkers.map((number) => `Worker ${number}`),
    ...nodes.flatMap(({ name, missingWorkers: numbers }) =>
      numbers.map((number) => `Worker ${number} of node ${name}`),
    ),
  ];
  for (const worker of workers) texts.push(`${worker} does not answer.`);
  if (texts.length === 0) return '';
  return `${texts.join(' ')} ${texts.length === 1 ? 'Its' : 'Their'} upstreams are not shown.`;
}

/** For its colour. */
export function nodeState({ missing, draining, missingWorkers }: NodeInfo): 'missing' | 'draining' | 'up' {
  if (missing !== null) return 'missing';
  return draining || missingWorkers.length > 0 ? 'draining' : 'up';
}

/** What is said beside the name of a node. */
export function nodeNote({ missing, draining, upstreams, self }: NodeInfo, count: (n: number) => string): string {
  if (missing !== null) return 'missing';
  const number = upstreams ?? 0;
  const parts = [`${count(number)} upstream${number === 1 ? '' : 's'}`];
  if (draining) parts.push('draining');
  if (self) parts.push('this page');
  return parts.join(', ');
}
