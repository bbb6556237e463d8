import { directives } from './directives.js';
import { ConfigError, formatOrigin } from './errors.js';
import { checkArguments, addSetting, didYouMean, type SettingValue } from './setting-value.js';
import { rejectAccessDirective } from './access/access-directives.js';
import type { Directive } from './nginx/parser.js';
import { contextName, syntaxOf, type Context, type Row } from './row.js';
import type { Warnings } from './warnings.js';

/** For each context, the block directives in it and the contexts that they open. */
const INNER_CONTEXT: Readonly<Record<Context, ReadonlyMap<string, Context>>> = {
  main: new Map([
    ['stream', 'stream'],
    ['http', 'http'],
    ['fleet', 'fleet'],
  ]),
  stream: new Map([['server', 'stream server']]),
  'stream server': new Map(),
  http: new Map([['server', 'http server']]),
  'http server': new Map([['location', 'location']]),
  location: new Map([['location', 'location']]),
  fleet: new Map(),
};

const CONTENT_DIRECTIVES = ['api', 'status', 'metrics', 'health', 'control', 'route'].map((name) => `kmp_rtmp_${name}`);

/**
 * A block without any of these directives, at any depth, belongs to other modules and is skipped. Empty: the block is
 * never skipped.
 */
const REQUIRED_DIRECTIVES: Readonly<Record<Context, readonly string[]>> = {
  main: [],
  stream: ['kmp_rtmp'],
  'stream server': ['kmp_rtmp'],
  http: CONTENT_DIRECTIVES,
  'http server': CONTENT_DIRECTIVES,
  location: CONTENT_DIRECTIVES,
  fleet: [],
};

/** A block with its settings and its inner blocks. */
export class Scope {
  readonly settings = new Map<string, SettingValue>();
  readonly scopes: Scope[] = [];

  constructor(
    readonly context: Context,
    /** undefined: the whole file */
    readonly opened: Directive | undefined,
    private readonly parent: Scope | undefined,
  ) {}

  /** The value of a setting in this block or in the innermost outer block that has it. */
  find(setting: string): SettingValue | undefined {
    return this.settings.get(setting) ?? this.parent?.find(setting);
  }

  /** This block, or the innermost outer block, that has one of the settings. */
  nearest(settings: readonly string[]): Scope | undefined {
    return settings.some((setting) => this.settings.has(setting)) ? this : this.parent?.nearest(settings);
  }

  /** All inner blocks of a context, at any depth. */
  descendants(context: Context): Scope[] {
    return this.scopes.flatMap((scope) => [
      ...(scope.context === context ? [scope] : []),
      ...scope.descendants(context),
    ]);
  }
}

/**
 * Checks a tree of directives against the table of directives.
 * @throws ConfigError config_unknown, config_context, config_duplicate, config_value
 */
export function readScopes(tree: readonly Directive[], warnings: Warnings): Scope {
  const main = new Scope('main', undefined, undefined);
  new ScopeReader(warnings).read(tree, main);
  return main;
}

class ScopeReader {
  constructor(private readonly warnings: Warnings) {}

  read(block: readonly Directive[], scope: Scope): void {
    for (const directive of block) {
      const row = directives.get(directive.name);
      if (row === undefined) this.unknownDirective(directive, scope.context);
      else if (this.isEffective(directive, row, scope.context)) this.addDirective(directive, row, scope);
    }
  }

  private addDirective(directive: Directive, row: Row, scope: Scope): void {
    const { name, block } = directive;
    if ((row.type.block === true) !== (block !== undefined)) {
      const found = block === undefined ? 'has no block' : 'must not have a block';
      throw new ConfigError('config_syntax', directive, `"${name}" ${found}; expected ${syntaxOf(name, row)}`);
    }
    if (block === undefined) return addSetting(scope.settings, row, directive, this.warnings.add);
    checkArguments(row, directive);
    const context = INNER_CONTEXT[scope.context].get(name);
    if (context === undefined) return;
    const required = REQUIRED_DIRECTIVES[context];
    if (required.length > 0 && !containsAny(block, required)) return this.skipBlock(directive, block, context);
    if (scope.context === 'main' && scope.scopes.some((other) => other.context === context)) {
      throw new ConfigError('config_duplicate', directive, `a second "${name}" block; expected one`);
    }
    const inner = new Scope(context, directive, scope);
    scope.scopes.push(inner);
    this.read(block, inner);
  }

  /**
   * Returns whether a known directive has an effect in this context. @throws ConfigError config_context if it is not
   * allowed there
   */
  private isEffective(directive: Directive, row: Row, context: Context): boolean {
    if (row.contexts.includes(context)) return true;
    if (row.ignoredIn?.includes(context) !== true) throw misplaced(directive, row, contextName(context));
    this.warnings.once(
      `${directive.name} ${context}`,
      `${formatOrigin(directive)}: "${directive.name}" has no effect in ${contextName(context)}`,
    );
    return false;
  }

  /**
   * Handles a directive that is not in the table: an error if its name begins with `kmp_` in any case, else ignored
   * with a warning. Everything in `fleet` belongs to this service.
   */
  private unknownDirective(directive: Directive, context: Context): void {
    if (isOwnName(directive) || context === 'fleet') throw unknown(directive);
    if (context !== 'main') rejectAccessDirective(directive);
    this.warnings.once(directive.name, `${formatOrigin(directive)}: "${directive.name}" has no effect here`);
    rejectOwnDirectives(directive.block ?? [], `"${directive.name}"`);
  }

  private skipBlock(directive: Directive, block: readonly Directive[], context: Context): void {
    const label = [directive.name, ...directive.args].join(' ');
    const needed = context.startsWith('stream') ? '"kmp_rtmp"' : `"${CONTENT_DIRECTIVES[0]}" or a similar directive`;
    this.warnings.add(`${formatOrigin(directive)}: "${label}" is ignored, because it does not contain ${needed}`);
    this.checkSkippedBlock(block, context);
  }

  /** Checks only the directives of this service in a skipped block. */
  private checkSkippedBlock(block: readonly Directive[], context: Context): void {
    const scope = new Scope(context, undefined, undefined);
    for (const directive of block) {
      const row = directives.get(directive.name);
      const inner = directive.block === undefined ? undefined : INNER_CONTEXT[context].get(directive.name);
      if (inner !== undefined) this.checkSkippedBlock(directive.block ?? [], inner);
      else if (!isOwnName(directive)) rejectOwnDirectives(directive.block ?? [], `"${directive.name}"`);
      else if (row === undefined) throw unknown(directive);
      else if (this.isEffective(directive, row, context)) this.addDirective(directive, row, scope);
    }
  }
}

function containsAny(block: readonly Directive[], marks: readonly string[]): boolean {
  return block.some((one) => marks.includes(one.name) || (one.block !== undefined && containsAny(one.block, marks)));
}

/** A directive of this service has no effect in a block of another module, so it is an error there. */
function rejectOwnDirectives(block: readonly Directive[], within: string): void {
  for (const directive of block) {
    const row = directives.get(directive.name);
    if (isOwnName(directive)) throw row === undefined ? unknown(directive) : misplaced(directive, row, within);
    rejectOwnDirectives(directive.block ?? [], within);
  }
}

/** Names of directives are case-sensitive, but one in the wrong case is not a directive of another module. */
function isOwnName({ name }: Directive): boolean {
  return /^kmp_/i.test(name);
}

function unknown(directive: Directive): ConfigError {
  return new ConfigError(
    'config_unknown',
    directive,
    `unknown directive "${directive.name}"${didYouMean(directive.name)}`,
  );
}

function misplaced({ name, ...origin }: Directive, row: Row, found: string): ConfigError {
  const expected = row.contexts.map(contextName).join(', ');
  return new ConfigError('config_context', origin, `"${name}" is not allowed in ${found}; expected it in ${expected}`);
}
