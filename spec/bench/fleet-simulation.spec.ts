import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Simulation } from '../../bench/fleet/simulation.js';

describe('placing in a fleet of 100 nodes', () => {
  const IDS = 10_000;

  it('keeps each node near the mean, and moves only what has to move', () => {
    const simulation = new Simulation(100);
    const placed = simulation.place(IDS);
    assert.ok(placed.balance <= 1.26, `${placed.balance}`);
    assert.equal(simulation.join('new').moved, 0);
    const died = simulation.kill('node-7');
    assert.ok(died.moved > 0 && died.moved <= 0.0125 * IDS, `${died.moved}`);
    assert.ok(died.balance <= 1.26, `${died.balance}`);
  });
});
