import type { StatusText } from './server-event.js';

/**
 * What a server's status means to a publisher; see docs/protocol/servers.md, Refusals.
 *
 * - `accepted`: what was asked for was done;
 * - `final`: refused, and asking again will not change that: wrong key, unknown application, no permission;
 * - `temporary`: refused or ended for now: the server restarts, is busy, or still has the session from before;
 * - `doubtful`: refused, for a reason that is not known; a few more tries are worth while;
 * - `none`: an information.
 */
export type StatusMeaning = 'accepted' | 'final' | 'temporary' | 'doubtful' | 'none';

/** By code, since servers send refusals with any level, or with none. */
const MEANINGS: Readonly<Record<string, StatusMeaning>> = {
  'NetConnection.Connect.Success': 'accepted',
  'NetStream.Publish.Start': 'accepted',

  'NetConnection.Connect.InvalidApp': 'final',
  'NetConnection.Connect.Unauthorized': 'final',
  'NetConnection.Call.Prohibited': 'final',
  'NetStream.Publish.BadAuth': 'final',
  'NetStream.Publish.Denied': 'final',
  'NetStream.Publish.Forbidden': 'final',
  'NetStream.Publish.InvalidKey': 'final',
  'NetStream.Publish.NoAccess': 'final',
  'NetStream.Publish.Unauthorized': 'final',

  'NetConnection.Connect.AppShutdown': 'temporary',
  'NetConnection.Connect.Closed': 'temporary',
  'NetConnection.Connect.Failed': 'temporary',
  'NetConnection.Connect.IdleTimeout': 'temporary',
  'NetConnection.Connect.Rejected': 'temporary',
  'NetConnection.Connect.ReconnectRequest': 'temporary',
  'NetConnection.Call.Failed': 'temporary',
  'NetStream.Connect.Closed': 'temporary',
  'NetStream.Connect.Failed': 'temporary',
  'NetStream.Connect.Rejected': 'temporary',
  'NetStream.Failed': 'temporary',
  'NetStream.Publish.BadName': 'temporary',
  'NetStream.Publish.Failed': 'temporary',
  'NetStream.Publish.Rejected': 'temporary',
};

/** Codes about something other than the publishing itself, such as the server's recording: they end nothing. */
const BESIDE = /^NetStream\.(Record|Play|Seek|Pause|Unpause|Buffer|Data|Step)\b/;

/** Last parts of unknown codes that are refusals whatever their level. */
const REFUSAL =
  /\.(\w*Fail\w*|\w*Reject\w*|\w*Den(y|ied)|Bad\w+|Invalid\w*|\w*Unauthori[sz]ed|\w*Forbidden|\w*NotFound|\w*Shutdown)$/i;

/** A refusal for want of a user name and password, or for wrong ones: asking again will not change it. */
const LOGIN = /AccessManager\.Reject|authmod=|need auth|auth(entication)? ?failed/i;

export function statusMeaning({ level, code, description }: StatusText): StatusMeaning {
  if (BESIDE.test(code)) return 'none';
  const known = MEANINGS[code];
  if (known === 'temporary' && code.startsWith('NetConnection.Connect.') && LOGIN.test(description)) return 'final';
  if (known !== undefined) return known;
  return level === 'error' || REFUSAL.test(code) ? 'doubtful' : 'none';
}
