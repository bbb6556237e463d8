import { ConfigError } from '../errors.js';
import type { Directive } from '../nginx/parser.js';

/**
 * Directives of nginx that restrict access to a location or change its response. This service does not support them.
 * Ignoring them with a warning, like other unknown directives, would open a location that was closed in nginx.
 */
const ACCESS_DIRECTIVES: ReadonlyMap<string, string> = new Map([
  ['auth_basic', 'requires a password'],
  ['auth_delay', 'slows down failed logins'],
  ['auth_jwt', 'requires a token'],
  ['auth_oidc', 'requires a login'],
  ['auth_request', 'asks another server for permission'],
  ['if', 'makes its block conditional'],
  ['internal', 'closes the location to clients'],
  ['limit_except', 'limits methods'],
  ['real_ip_header', 'changes the client address that allow and deny check'],
  ['return', 'ends the request'],
  ['satisfy', 'changes how allow and deny are combined'],
  ['ssl_verify_client', 'requires a client certificate'],
]);

/** @throws ConfigError config_value for a directive that restricts access to its block */
export function rejectAccessDirective(directive: Directive): void {
  const does = ACCESS_DIRECTIVES.get(directive.name);
  const [first] = directive.args;
  if (does === undefined || first === 'off' || (directive.name === 'satisfy' && first === 'all')) return;
  throw new ConfigError(
    'config_value',
    directive,
    `"${directive.name}" ${does} in nginx and is not supported; use allow and deny, kmp_rtmp_api_token, or a reverse proxy`,
  );
}
