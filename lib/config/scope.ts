import { directives } from './directives.js';
import { ConfigError, whereIs } from './errors.js';
import { checkArguments, put, suggestion, type Given } from './given.js';
import { refuseGuard } from './guards.js';
import type { Directive } from './nginx/parser.js';
import { contextName, syntaxOf, type Context, type Row } from './row.js';
import type { Warnings } from './warnings.js';

/** What each context opens by which directive. */
const OPENS: Readonly<Record<Context, ReadonlyMap<string, Context>>> = {
  main: new Map([
    ['stream', 'stream'],
    ['http', 'http'],
  ]),
  stream: new Map([['server', 'stream server']]),
  'stream server': new Map(),
  http: new Map([['server', 'http server']]),
  'http server': new Map([['location', 'location']]),
  location: new Map([['location', 'location']]),
};

const ANSWERS = ['api', 'status', 'metrics', 'health', 'control', 'route'].map((name) => `kmp_rtmp_${name}`);

/** A block that has none of these in it, at any depth, is another's and left out. */
const MARKS: Readonly<Record<Context, readonly string[]>> = {
  main: [],
  stream: ['kmp_rtmp'],
  'stream server': ['kmp_rtmp'],
  http: ANSWERS,
  'http server': ANSWERS,
  location: ANSWERS,
};

/** A block with the settings given in it and the blocks within. */
export class Scope {
  readonly given = new Map<string, Given>();
  readonly scopes: Scope[] = [];

  constructor(
    readonly context: Context,
    /** undefined: the whole file */
    readonly opened: Directive | undefined,
    private readonly parent: Scope | undefined,
  ) {}

  /** A setting of this block, or of the nearest around it that has it. */
  find(setting: string): Given | undefined {
    return this.given.get(setting) ?? this.parent?.find(setting);
  }

  /** All blocks of a context within, at any depth. */
  all(context: Context): Scope[] {
    return this.scopes.flatMap((scope) => [...(scope.context === context ? [scope] : []), ...scope.all(context)]);
  }
}

/**
 * Checks a tree by the table of directives.
 * @throws ConfigError CONFIG_UNKNOWN, CONFIG_CONTEXT, CONFIG_DUPLICATE, CONFIG_VALUE
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
      if (row === undefined) this.foreign(directive, scope.context);
      else if (this.belongs(directive, row, scope.context)) this.known(directive, row, scope);
    }
  }

  private known(directive: Directive, row: Row, scope: Scope): void {
    const { name, block } = directive;
    if ((row.type.block === true) !== (block !== undefined)) {
      const found = block === undefined ? 'has no block' : 'takes no block';
      throw new ConfigError('CONFIG_SYNTAX', directive, `"${name}" ${found}; expected ${syntaxOf(name, row)}`);
    }
    if (block === undefined) return put(scope.given, row, directive, this.warnings.add);
    checkArguments(row, directive);
    const context = OPENS[scope.context].get(name);
    if (context === undefined) return;
    if (!isMarked(block, MARKS[context])) return this.leaveOut(directive, block, context);
    if (scope.context === 'main' && scope.scopes.some((other) => other.context === context)) {
      throw new ConfigError('CONFIG_DUPLICATE', directive, `a second "${name}" block; expected one`);
    }
    const inner = new Scope(context, directive, scope);
    scope.scopes.push(inner);
    this.read(block, inner);
  }

  /** Whether a known directive counts in this context. @throws ConfigError CONFIG_CONTEXT if it may not be in it */
  private belongs(directive: Directive, row: Row, context: Context): boolean {
    if (row.contexts.includes(context)) return true;
    if (row.idleIn?.includes(context) !== true) throw misplaced(directive, row, contextName(context));
    this.warnings.once(
      `${directive.name} ${context}`,
      `${whereIs(directive)}: "${directive.name}" has no effect in ${contextName(context)}`,
    );
    return false;
  }

  /** A directive that the table does not have: an error in our name space, else nothing to us. */
  private foreign(directive: Directive, context: Context): void {
    if (directive.name.startsWith('kmp_')) throw unknown(directive);
    if (context !== 'main') refuseGuard(directive);
    this.warnings.once(directive.name, `${whereIs(directive)}: "${directive.name}" has no effect here`);
    refuseOurs(directive.block ?? [], `"${directive.name}"`);
  }

  private leaveOut(directive: Directive, block: readonly Directive[], context: Context): void {
    const label = [directive.name, ...directive.args].join(' ');
    const needed = context.startsWith('stream') ? '"kmp_rtmp"' : `"${ANSWERS[0]}" or the like`;
    this.warnings.add(`${whereIs(directive)}: "${label}" is left out, since there is no ${needed} in it`);
    this.checkOurs(block, context);
  }

  /** Of a block that is left out, only what is ours is checked: the rest may be anything. */
  private checkOurs(block: readonly Directive[], context: Context): void {
    const scope = new Scope(context, undefined, undefined);
    for (const directive of block) {
      const row = directives.get(directive.name);
      const inner = directive.block === undefined ? undefined : OPENS[context].get(directive.name);
      if (inner !== undefined) this.checkOurs(directive.block ?? [], inner);
      else if (!directive.name.startsWith('kmp_')) refuseOurs(directive.block ?? [], `"${directive.name}"`);
      else if (row === undefined) throw unknown(directive);
      else if (this.belongs(directive, row, context)) this.known(directive, row, scope);
    }
  }
}

function isMarked(block: readonly Directive[], marks: readonly string[]): boolean {
  return block.some((one) => marks.includes(one.name) || (one.block !== undefined && isMarked(one.block, marks)));
}

/** In a block of another module nothing of ours can work. */
function refuseOurs(block: readonly Directive[], within: string): void {
  for (const directive of block) {
    const row = directives.get(directive.name);
    if (directive.name.startsWith('kmp_'))
      throw row === undefined ? unknown(directive) : misplaced(directive, row, within);
    refuseOurs(directive.block ?? [], within);
  }
}

function unknown(directive: Directive): ConfigError {
  return new ConfigError(
    'CONFIG_UNKNOWN',
    directive,
    `unknown directive "${directive.name}"${suggestion(directive.name)}`,
  );
}

function misplaced({ name, ...origin }: Directive, row: Row, found: string): ConfigError {
  const expected = row.contexts.map(contextName).join(', ');
  return new ConfigError('CONFIG_CONTEXT', origin, `"${name}" cannot stand in ${found}; expected it in ${expected}`);
}
