import { ConfigError } from '../../../../lib/config/errors.js';
import { defaultConfigText, parseConfig } from '../../../../lib/config/load.js';
import type { Source } from '../../../../lib/config/nginx/source.js';
import { CallbackError, parseCallback } from '../../../../lib/control/callback.js';
import { authAnswer } from '../../../../lib/rtmp/auth.js';
import { parseRtmpUrl, RtmpUrlError } from '../../../../lib/rtmp/rtmp-url.js';
import { holds, refusal, type Target } from '../target.js';

/** Files that include themselves under other names, without end. */
const endless: Source = {
  read: (path) => `include ${path}x; kmp_rtmp_in_ack on;`,
  exists: () => true,
  list: () => ['a', 'b'],
};

/** A configuration, or an error that says in which line. */
export const nginxSyntax: Target = {
  name: 'nginx-syntax',
  share: 4,
  words: [
    '{',
    '}',
    ';',
    '"',
    "'",
    '\\',
    '#',
    '\n',
    'include a;',
    'kmp_rtmp_out_',
    '99999999999999999999k',
    '1h30m',
    '__proto__',
    '${',
  ],
  seeds: () => [
    Buffer.from(defaultConfigText),
    Buffer.from(`worker_processes 2; error_log stderr debug format=json; stream { resolver 1.1.1.1 valid=5s; server {
      listen [::1]:8005 backlog=5; kmp_rtmp; allow 10.0.0.0/8; deny all; kmp_rtmp_out_deny 10.0.0.0/8:1; kmp_rtmp_out_mem_limit 8m;
      kmp_rtmp_out_notif_add_header X "a b"; kmp_rtmp_out_notif_events all; } }`),
    Buffer.from(`http { server { listen *:8001; location = /x { kmp_rtmp_control; kmp_rtmp_route '^(a+)' rtmp://b/c/$1; }
      location /m { kmp_rtmp_metrics; kmp_rtmp_api_token "s3cret"; } } }`),
  ],
  run(input) {
    try {
      const { warnings } = parseConfig(input.toString('utf8'), 'a.conf', { source: endless });
      return `read, ${Math.min(3, warnings.length)} warnings`;
    } catch (error) {
      return refusal(error, ConfigError);
    }
  },
};

/** An RTMP url: its parts, or an error that shows no key. */
export const rtmpUrls: Target = {
  name: 'rtmp-url',
  words: ['rtmp://', 'rtmps://', '@', ':', '/', '[', ']', '%', '%00', '?', '\u0000', '\n'],
  seeds: () =>
    ['rtmp://user:p%40ss@host:1935/app/s3cret?a=b', 'rtmps://[::1]:443/a/b', 'h/a', 'rtmp://h:99999/a/b'].map((text) =>
      Buffer.from(text),
    ),
  run(input) {
    try {
      const { host, port, app } = parseRtmpUrl(input.toString('utf8'));
      holds(host !== '' && port >= 1 && port <= 65535, `host "${host}", port ${port}`);
      return `read ${app === '' ? 'without app' : ''}`;
    } catch (error) {
      holds(!String(error).includes('s3cret'), 'an error shows no key');
      return refusal(error, RtmpUrlError);
    }
  },
};

/** A callback of a sender's controller. */
export const callbacks: Target = {
  name: 'callback',
  words: ['event_type', 'publish', 'rtmp', '__proto__', 'constructor', 'null', '[', '{', '"', '\\ud800', '\\u0000'],
  seeds: () =>
    [
      '{"event_type":"publish","input_id":"rtmp://a/b/video","rtmp":{"name":"n"},"media_info":{"media_type":"video"}}',
      '{"event_type":"republish","id":"1","input_id":"x/audio","media_info":{"media_type":"audio"}}',
      '{"event_type":"connect","mpegts":{"stream_id":"s"}}',
    ].map((text) => Buffer.from(text)),
  run(input) {
    let body: unknown;
    try {
      body = JSON.parse(input.toString('utf8'));
    } catch {
      return 'no JSON';
    }
    try {
      return `read ${parseCallback(body).event}`;
    } catch (error) {
      return refusal(error, CallbackError);
    }
  },
};

/** What a server writes into the description of a refusal: an answer, and never the password. */
export const authTexts: Target = {
  name: 'auth',
  words: [
    'authmod=adobe',
    'authmod=llnw',
    '?reason=needauth',
    '&salt=',
    '&challenge=',
    '&opaque=',
    '&nonce=',
    '%',
    '&',
  ],
  seeds: () =>
    [
      '[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] :',
      '[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=u&salt=AA==&challenge=BB==&opaque=CC==',
      '[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=u&nonce=abc',
    ].map((text) => Buffer.from(text)),
  run(input) {
    const answer = authAnswer(input.toString('utf8'), { user: 'u', password: 'pa55word' }, 'app');
    holds(!JSON.stringify(answer ?? '').includes('pa55word'), 'an answer shows no password');
    return answer === undefined ? 'not about this' : answer.kind === 'retry' ? `round ${answer.round}` : answer.kind;
  },
};
