import { splitHostPort } from './access/addresses.js';
import { ValueError } from './errors.js';

/** A syslog server, from `error_log syslog:server=...`. */
export interface SyslogTarget {
  /** Path of a Unix-domain stream socket; or, over UDP: */
  readonly path?: string;
  /** IP address or host name. */
  readonly host?: string;
  readonly port?: number;
  /** Number of the facility, 0..23 (RFC 5424, 6.2.1). */
  readonly facility: number;
  readonly tag: string;
  /** Whether messages contain the name of this machine. */
  readonly hostname: boolean;
}

const DEFAULT_PORT = 514;

/** Names of the facilities as nginx knows them, in the order of their numbers. */
const FACILITIES = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'intern', 'lpr', 'news', 'uucp', 'clock', 'authpriv', 'ftp', 'ntp'],
  ...['audit', 'alert', 'cron', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];
const SEVERITIES = /^(emerg|alert|crit|error|warn|notice|info|debug)$/;

/** Parses `server=address[,facility=name][,tag=name][,severity=name][,nohostname]`. @throws ValueError */
export function parseSyslog(text: string): SyslogTarget {
  let server: Pick<SyslogTarget, 'path' | 'host' | 'port'> | undefined;
  let facility = FACILITIES.indexOf('local7');
  let tag = 'kmp_rtmp';
  let hostname = true;
  for (const parameter of text.split(',')) {
    const [, key = '', value = ''] = /^([a-z]+)(?:=(.*))?$/.exec(parameter) ?? [];
    const found = FACILITIES.indexOf(value);
    if (key === 'server' && (server = serverOf(value)) !== undefined) continue;
    if (key === 'facility' && found >= 0) facility = found;
    else if (key === 'tag' && /^\w{1,32}$/.test(value)) tag = value;
    else if (key === 'nohostname') hostname = false;
    // nginx ignores the severity here, too: each line has its own.
    else if (parameter !== '' && !(key === 'severity' && SEVERITIES.test(value))) {
      throw new ValueError(
        `"${parameter}" is not server=address, server=unix:path, facility=name, tag=name, severity=name or nohostname`,
      );
    }
  }
  if (server === undefined) throw new ValueError('"syslog:" needs server=address or server=unix:path');
  return { ...server, facility, tag, hostname };
}

function serverOf(text: string): Pick<SyslogTarget, 'path' | 'host' | 'port'> | undefined {
  const path = /^unix:(.+)$/.exec(text)?.[1];
  if (path !== undefined) return { path };
  const parts = splitHostPort(text);
  if (parts?.host === undefined || parts.host === '*' || parts.port === 0) return undefined;
  return { host: parts.host, port: parts.port ?? DEFAULT_PORT };
}
