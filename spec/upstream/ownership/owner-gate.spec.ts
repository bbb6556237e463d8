import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { OwnerGate, type Verdict } from '../../../lib/upstream/ownership/owner-gate.js';
import { FakeClock } from '../../support/time/fake-clock.js';

const N1 = { name: 'n1', host: '192.0.2.1', port: 8005 };
const N2 = { name: 'n2', host: '192.0.2.2', port: 8005 };

describe('the gate of a node', () => {
  let clock: FakeClock;
  let gate: OwnerGate;
  const live = new Map<string, number>();

  const judge = (node?: string, epoch = 1): Verdict =>
    gate.judge('u', node === undefined ? undefined : { node, epoch });
  const refusal = (verdict: Verdict): unknown =>
    typeof verdict === 'object' && 'refusal' in verdict ? verdict.refusal : verdict;

  beforeEach(() => {
    clock = new FakeClock();
    live.clear();
    gate = new OwnerGate(clock, (id) => live.get(id));
    gate.setTable({ self: 'n1', misplaced: 'relay', nodes: [N1, N2] });
  });

  it('accepts all without a fleet, also what is placed elsewhere', () => {
    gate = new OwnerGate(clock, () => 5);
    assert.equal(gate.isActive, false);
    assert.equal(judge('n2'), 'here');
    assert.equal(judge(), 'here');
  });

  it('accepts what is placed here, and what was not placed at all', () => {
    assert.equal(gate.isActive, true);
    assert.equal(judge('n1'), 'here');
    assert.equal(judge(), 'here');
  });

  it('passes on what is placed at another node that it knows', () => {
    assert.deepEqual(judge('n2'), { relay: N2 });
    assert.equal(refusal(judge('n3')), 'fleet_misplaced');
  });

  it('refuses it if so configured, and never passes on to its own address', () => {
    gate.setTable({ self: 'n1', misplaced: 'relay', nodes: [N1, { ...N1, name: 'n2' }] });
    assert.equal(refusal(judge('n2')), 'fleet_misplaced');
    gate.setTable({ self: 'n1', misplaced: 'refuse', nodes: [N1, N2] });
    assert.equal(refusal(judge('n2')), 'fleet_misplaced');
  });

  it('refuses what was not placed while another node owns the id: two nodes could pass it on to each other for ever', () => {
    gate.fence({ id: 'u', node: 'n2', epoch: 5 });
    assert.equal(refusal(judge()), 'fleet_misplaced');
    const other = new OwnerGate(clock, () => undefined);
    other.setTable({ self: 'n2', misplaced: 'relay', nodes: [N1, N2] });
    // The id was moved back, and its sender has not arrived yet.
    other.fence({ id: 'u', node: 'n1', epoch: 6 });
    assert.equal(refusal(other.judge('u', undefined)), 'fleet_misplaced');
    assert.deepEqual(other.judge('u', { node: 'n1', epoch: 6 }), { relay: N1 });
  });

  it('refuses a placement that is older than that of the live upstream', () => {
    live.set('u', 7);
    assert.equal(refusal(judge('n1', 6)), 'fleet_stale');
    assert.equal(refusal(judge('n2', 6)), 'fleet_stale');
    assert.equal(judge('n1', 7), 'here');
    assert.equal(judge('n1', 8), 'here');
    assert.deepEqual(judge('n2', 8), { relay: N2 });
  });

  it('accepts epoch 0, which was given without the engine, beside any live upstream', () => {
    live.set('u', 7);
    assert.equal(judge('n1', 0), 'here');
    assert.deepEqual(judge('n2', 0), { relay: N2 });
  });

  it('refuses what a fence excludes, until it is placed here with a newer epoch', () => {
    gate.fence({ id: 'u', node: 'n2', epoch: 7 });
    assert.equal(refusal(judge('n1', 6)), 'fleet_stale');
    assert.equal(refusal(judge('n1', 7)), 'fleet_stale', 'two nodes cannot have one epoch');
    assert.equal(refusal(judge('n1', 0)), 'fleet_stale');
    assert.equal(refusal(judge()), 'fleet_misplaced');
    assert.equal(gate.judge('other', { node: 'n1', epoch: 1 }), 'here');
    assert.equal(judge('n1', 8), 'here');
    assert.equal(judge('n1', 7), 'here', 'the fence is gone');
  });

  it('refuses an epoch that is more than a day ahead: no later placement could have a newer one', () => {
    const now = clock.wall();
    assert.equal(judge('n1', now + 86_400_000), 'here');
    assert.equal(refusal(judge('n1', now + 86_400_001)), 'fleet_stale');
    assert.equal(refusal(judge('n2', Number.MAX_SAFE_INTEGER)), 'fleet_stale');
  });

  it('does not repeat long ids of senders', () => {
    const verdict = gate.judge('u'.repeat(60_000), { node: 'x'.repeat(60_000), epoch: 1 });
    assert.ok(typeof verdict === 'object' && 'message' in verdict && verdict.message.length < 1000);
  });

  it('keeps the newest fence, for ten minutes', () => {
    gate.fence({ id: 'u', node: 'n2', epoch: 7 });
    gate.fence({ id: 'u', node: 'n3', epoch: 5 });
    assert.equal(refusal(judge('n1', 6)), 'fleet_stale');
    clock.advance(599_999);
    assert.equal(refusal(judge('n1', 6)), 'fleet_stale');
    clock.advance(1);
    assert.equal(judge('n1', 6), 'here');
  });
});
