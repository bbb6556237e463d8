import { NODE_NAME } from '../../config/fleet/arguments.js';
import type { NodeAddress, NodeHttpAddress, NodeRecord, OwnerRecord } from '../node-record.js';
import { EngineUnavailable, type NodeList, type Placed } from './engine.js';

// What the engine answers is checked: another program, or another version, may have written it.

/** The answer of PLACE; undefined: no node is alive. @throws EngineUnavailable */
export function placed(answer: unknown): Placed | undefined {
  const [node, epoch, created, previous = ''] = texts(answer);
  if (node === undefined) return undefined;
  return {
    node,
    epoch: epochOf(epoch),
    created: created === '1',
    stale: created === 'stale',
    ...(previous === '' ? {} : { previous }),
  };
}

/** The answer of CLAIM to the claim of `owned`. @throws EngineUnavailable */
export function claimed(owned: readonly Omit<OwnerRecord, 'node'>[], answer: unknown): OwnerRecord[] {
  const words = texts(answer);
  const changed: OwnerRecord[] = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    const one = owned[Number(words[i])];
    const node = words[i + 1];
    if (one === undefined || node === undefined) throw unexpected();
    changed.push({ id: one.id, node, epoch: epochOf(words[i + 2]) });
  }
  return changed;
}

/** The record of an owner. @throws EngineUnavailable */
export function ownerIn(id: string, answer: unknown): OwnerRecord | undefined {
  if (answer === null || answer === undefined) return undefined;
  const [, epoch, node] = (typeof answer === 'string' ? /^(\d+) (\S+)$/.exec(answer) : null) ?? [];
  if (node === undefined) throw unexpected();
  return { id, node, epoch: epochOf(epoch) };
}

/** A message about an owner; undefined: it is not one. */
export function changeOf(text: string): OwnerRecord | undefined {
  const [, epoch, node, id] = /^(\d{1,16}) (\S+) (.+)$/s.exec(text) ?? [];
  return node === undefined || id === undefined ? undefined : { id, node, epoch: Number(epoch) };
}

/** The answer of BEAT. Records that no node of this version wrote are left out. @throws EngineUnavailable */
export function nodeList(answer: unknown): NodeList {
  if (!Array.isArray(answer)) throw unexpected();
  const [now, before, records, states] = answer as readonly unknown[];
  const seen = new Map(pairs(states).map(([name, state]) => [name, Number(state.split(' ', 1)[0])]));
  const nodes = pairs(records).flatMap(([name, json]) => recordIn(name, json, seen.get(name)) ?? []);
  const own = typeof before === 'string' && before !== '' ? startedIn(before) : undefined;
  return { now: epochOf(now), nodes, ...(own === undefined ? {} : { startedBefore: own }) };
}

function recordIn(name: string, json: string, seenAt: number | undefined): NodeRecord | undefined {
  const fields = objectIn(json);
  if (fields === undefined || !NODE_NAME.test(name) || seenAt === undefined || !Number.isFinite(seenAt))
    return undefined;
  const { kmp, http, draining, load, started, version } = fields;
  if (!isAddress(kmp) || !isAddress(http)) return undefined;
  const tls = (http as NodeHttpAddress).tls === true;
  return {
    name,
    kmp: { host: kmp.host, port: kmp.port },
    http: { host: http.host, port: http.port, ...(tls ? { tls } : {}) },
    draining: draining === true,
    load: typeof load === 'number' && load >= 0 ? load : 0,
    started: typeof started === 'number' ? started : 0,
    version: typeof version === 'string' ? version.slice(0, 64) : '',
    seenAt,
  };
}

function startedIn(json: string): number | undefined {
  const started = objectIn(json)?.['started'];
  return typeof started === 'number' ? started : undefined;
}

function objectIn(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function isAddress(value: unknown): value is NodeAddress {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as { readonly host?: unknown; readonly port?: unknown };
  return typeof host === 'string' && host !== '' && typeof port === 'number' && port > 0 && port < 65_536;
}

/** A list of names and values, as version 2 of the protocol and scripts have them. */
function pairs(list: unknown): [string, string][] {
  const words = texts(list);
  return words.flatMap((name, i) => (i % 2 === 0 ? [[name, words[i + 1] ?? ''] as [string, string]] : []));
}

function texts(list: unknown): string[] {
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) throw unexpected();
  return list;
}

function epochOf(text: unknown): number {
  const value = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw unexpected();
  return value;
}

function unexpected(): EngineUnavailable {
  return new EngineUnavailable('the engine has records of another form; give the fleet another name');
}
