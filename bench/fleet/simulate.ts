/** `npm run bench:fleet`: how 100 nodes share 100,000 upstreams, with the code that places them. About 20 s. */
import { table } from '../../lib/cli/table.js';
import { Simulation, type Step } from './simulation.js';

const NODES = 100;
const IDS = 100_000;

const rows: string[][] = [['what', 'ids moved', 'of all', 'fullest / mean', 'time for one id']];

function measure(what: string, ids: number, act: () => Step): void {
  const began = performance.now();
  const { moved, balance } = act();
  const each = ids === 0 ? '-' : `${(((performance.now() - began) * 1000) / ids).toFixed(0)} us`;
  rows.push([what, String(moved), `${((100 * moved) / IDS).toFixed(2)} %`, balance.toFixed(3), each]);
}

const simulation = new Simulation(NODES);
measure(`${IDS} upstreams on ${NODES} nodes`, IDS, () => simulation.place(IDS));
measure('a node joins', 0, () => simulation.join('new'));
measure('a node dies', IDS / NODES, () => simulation.kill('node-7'));
measure('rolling upgrade of all', IDS, () => {
  const steps = simulation.names.filter((name) => name !== 'node-7').map((name) => simulation.upgrade(name));
  return {
    moved: steps.reduce((sum, { moved }) => sum + moved, 0),
    balance: Math.max(...steps.map(({ balance }) => balance)),
  };
});
console.log(table(rows, [1, 2, 3, 4]));
