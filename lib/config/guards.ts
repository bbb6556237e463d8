import { ConfigError } from './errors.js';
import type { Directive } from './nginx/parser.js';

/**
 * Directives of nginx that decide who gets to a location, or what it answers. They are not known here, and to pass over them with
 * a warning, as over others, would leave open what was closed.
 */
const GUARDS: ReadonlyMap<string, string> = new Map([
  ['auth_basic', 'asks for a password'],
  ['auth_delay', 'slows down failed logins'],
  ['auth_jwt', 'asks for a token'],
  ['auth_oidc', 'asks for a login'],
  ['auth_request', 'asks another server'],
  ['if', 'makes what it holds conditional'],
  ['internal', 'closes the location to clients'],
  ['limit_except', 'limits methods'],
  ['real_ip_header', 'changes whose address allow and deny see'],
  ['return', 'ends the request'],
  ['satisfy', 'changes how allow and deny count'],
  ['ssl_verify_client', 'asks for a certificate'],
]);

/** @throws ConfigError CONFIG_VALUE for a directive that guards what stands beside it */
export function refuseGuard(directive: Directive): void {
  const does = GUARDS.get(directive.name);
  const [first] = directive.args;
  if (does === undefined || first === 'off' || (directive.name === 'satisfy' && first === 'all')) return;
  throw new ConfigError(
    'CONFIG_VALUE',
    directive,
    `"${directive.name}" ${does} in nginx and is not known here; expected allow and deny or kmp_rtmp_api_token instead, ` +
      `or a proxy in front`,
  );
}
