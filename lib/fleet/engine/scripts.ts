import { createHash } from 'node:crypto';

/**
 * The scripts of the engine, in Lua. Each runs as one atomic step. The clock is always that of the engine.
 *
 * - `state` (hash): for each node "SEEN DRAINING LOAD": ms since 1970, 0 or 1, a number of upstreams.
 * - `nodes` (hash): for each node what it says about itself, as JSON.
 * - `owner:ID` (string): "EPOCH NODE"; it expires.
 * - `epoch` (string): the highest epoch that was ever given.
 *
 * An epoch is at least the time in ms, so epochs do not fall back if the engine loses its data.
 */
export interface Script {
  readonly text: string;
  /** SHA-1 of the text, by which the engine knows it. */
  readonly sha1: string;
}

function script(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

const COMMON = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end
local function parts(record)
  if not record then return nil, nil end
  local epoch, node = string.match(record, '^(%d+) (.+)$')
  return tonumber(epoch), node
end
local function status(state)
  if not state then return nil end
  local seen, draining, load = string.match(state, '^(%d+) (%d) (%d+)$')
  if not seen then return nil end
  return tonumber(seen), draining, tonumber(load)
end
local function nextEpoch(key, least)
  local last = tonumber(redis.call('GET', key) or '0') or 0
  local epoch = math.max(last, least, now - 1) + 1
  redis.call('SET', key, integer(epoch))
  return epoch
end
`;

/**
 * KEYS: state, nodes. ARGV: node, JSON, draining, load, channel. Returns the time, the record before, all of `nodes`
 * and all of `state`. A node that is new, or begins or ends to drain, is announced.
 */
export const BEAT = script(`${COMMON}
local node, json, draining, load, channel = unpack(ARGV)
local before = redis.call('HGET', KEYS[2], node)
local _, drained = status(redis.call('HGET', KEYS[1], node))
redis.call('HSET', KEYS[1], node, integer(now) .. ' ' .. draining .. ' ' .. load)
redis.call('HSET', KEYS[2], node, json)
if drained ~= draining then redis.call('PUBLISH', channel, node) end
return {integer(now), before or '', redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[1])}
`);

/**
 * KEYS: owner, state, epoch. ARGV: id, node timeout, time to live, excluded node or "", channel prefix, then the order.
 * Returns node, epoch and 1 if the owner is a new one, with the owner before; "stale" if it is the recorded one without
 * a heartbeat in time; nothing if no node is alive. An owner is replaced only if it is excluded, or has left.
 * lib/placement/choose.ts is the same rule.
 */
export const PLACE = script(`${COMMON}
local id, timeout, ttl, exclude, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local recordedEpoch, recorded = parts(redis.call('GET', KEYS[1]))
local function alive(seen) return seen and now - seen <= timeout end
if recorded and recorded ~= exclude then
  local seen = status(redis.call('HGET', KEYS[2], recorded))
  if seen then
    redis.call('PEXPIRE', KEYS[1], ttl)
    return {recorded, integer(recordedEpoch), alive(seen) and '0' or 'stale'}
  end
end
local loads, busy, total, count = {}, {}, 0, 0
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local seen, draining, load = status(all[i + 1])
  if alive(seen) and all[i] ~= exclude then
    if draining == '0' then
      loads[all[i]] = load
      total = total + load
      count = count + 1
    else
      busy[all[i]] = load
    end
  end
end
local mean = (total + 1) / math.max(1, count)
local limit = math.max(1.25 * mean, mean + 2)
local chosen
for i = 6, #ARGV do
  local load = loads[ARGV[i]]
  if load and load + 1 <= limit then
    chosen = ARGV[i]
    break
  end
end
local function least(of)
  local best
  for name, load in pairs(of) do
    if not best or load < of[best] or (load == of[best] and name < best) then best = name end
  end
  return best
end
chosen = chosen or least(loads) or least(busy)
if not chosen then
  if not recorded then return {} end
  redis.call('PEXPIRE', KEYS[1], ttl)
  return {recorded, integer(recordedEpoch), '0'}
end
local epoch = nextEpoch(KEYS[3], recordedEpoch or 0)
redis.call('SET', KEYS[1], integer(epoch) .. ' ' .. chosen, 'PX', ttl)
local seen, draining, load = status(redis.call('HGET', KEYS[2], chosen))
redis.call('HSET', KEYS[2], chosen, integer(seen) .. ' ' .. draining .. ' ' .. integer(load + 1))
local change = integer(epoch) .. ' ' .. chosen .. ' ' .. id
redis.call('PUBLISH', channel .. chosen, change)
if recorded and recorded ~= chosen then redis.call('PUBLISH', channel .. recorded, change) end
return {chosen, integer(epoch), '1', recorded or ''}
`);

/**
 * KEYS: state, epoch, then owners. ARGV: node, node timeout, time to live, channel prefix, then id and epoch of each
 * owner. Returns the position, node and epoch of each id for which something else is recorded than was given.
 */
export const CLAIM = script(`${COMMON}
local node, timeout, ttl, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local states, changed = {}, {}
local function alive(name)
  if states[name] == nil then states[name] = status(redis.call('HGET', KEYS[1], name)) or false end
  return states[name] and now - states[name] <= timeout
end
local highest = 0
local function own(key, id, epoch, before)
  redis.call('SET', key, integer(epoch) .. ' ' .. node, 'PX', ttl)
  highest = math.max(highest, epoch)
  if before then redis.call('PUBLISH', channel .. before, integer(epoch) .. ' ' .. node .. ' ' .. id) end
end
for i = 3, #KEYS do
  local id, given = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
  local recordedEpoch, recorded = parts(redis.call('GET', KEYS[i]))
  local owner, epoch = node, given
  if not recorded then
    if given == 0 then epoch = nextEpoch(KEYS[2], 0) end
    own(KEYS[i], id, epoch)
  elseif recorded == node then
    epoch = math.max(given, recordedEpoch)
    if epoch > recordedEpoch then own(KEYS[i], id, epoch) else redis.call('PEXPIRE', KEYS[i], ttl) end
  elseif given > recordedEpoch then
    own(KEYS[i], id, epoch, recorded)
  elseif alive(recorded) then
    owner, epoch = recorded, recordedEpoch
  else
    epoch = nextEpoch(KEYS[2], recordedEpoch)
    own(KEYS[i], id, epoch, recorded)
  end
  if owner ~= node or epoch ~= given then
    changed[#changed + 1] = integer(i - 3)
    changed[#changed + 1] = owner
    changed[#changed + 1] = integer(epoch)
  end
end
if highest > 0 then
  local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
  if highest > last then redis.call('SET', KEYS[2], integer(highest)) end
end
return changed
`);

/**
 * KEYS: owner, state. ARGV: node, epoch, ms for which the record stays. An owner that has been replaced meanwhile keeps
 * its record.
 */
export const RELEASE = script(`${COMMON}
local node, epoch, stay = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local recordedEpoch, recorded = parts(redis.call('GET', KEYS[1]))
if recorded ~= node or (epoch > 0 and recordedEpoch > epoch) then return 0 end
if stay > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) else redis.call('DEL', KEYS[1]) end
local seen, draining, load = status(redis.call('HGET', KEYS[2], node))
if seen and load > 0 then
  redis.call('HSET', KEYS[2], node, integer(seen) .. ' ' .. draining .. ' ' .. integer(load - 1))
end
return 1
`);

/** KEYS: state, nodes. ARGV: channel, then nodes. They are forgotten, and the first is announced. */
export const LEAVE = script(`
for i = 2, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i])
end
redis.call('PUBLISH', ARGV[1], ARGV[2] or '')
return 1
`);
