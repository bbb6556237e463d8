/**
 * The form that a part of another node's answer must have. What is absent or has another type gets a neutral value, so
 * that a node of an older version can be shown. Fields that this version does not know are kept, unless they are nested
 * deeper than {@link MAX_DEPTH}.
 */
export type Shape =
  | 'number'
  | 'string'
  | 'boolean'
  | { readonly nullable: Shape }
  /** Left out if it is absent or has another type. */
  | { readonly optional: Shape }
  | { readonly list: Shape }
  /** An object with any keys. */
  | { readonly map: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> };

/** The shapes of all fields of `T`. A new field has to be added here, too. */
export type ShapeOf<T> = { readonly [Key in keyof Required<T>]: Shape };

/** Never throws. `value` comes from JSON. */
export function fit(shape: Shape, value: unknown): unknown {
  // JSON has numbers that are too large, such as 1e999.
  if (shape === 'number') return typeof value === 'number' && Number.isFinite(value) ? value : 0;
  if (shape === 'string') return typeof value === 'string' ? value : '';
  if (shape === 'boolean') return value === true;
  if ('nullable' in shape) return value === null || value === undefined ? null : fit(shape.nullable, value);
  if ('optional' in shape) return fits(shape.optional, value) ? fit(shape.optional, value) : undefined;
  if ('list' in shape) return Array.isArray(value) ? value.map((one: unknown) => fit(shape.list, one)) : [];
  const given = isObject(value) ? value : {};
  const fitted = Object.create(null) as Record<string, unknown>;
  if ('map' in shape) {
    for (const [key, one] of Object.entries(given)) fitted[key] = fit(shape.map, one);
    return fitted;
  }
  for (const [key, one] of Object.entries(given)) {
    if (!Object.hasOwn(shape.fields, key) && !isDeeper(one, MAX_DEPTH)) fitted[key] = one;
  }
  for (const [key, of] of Object.entries(shape.fields)) {
    const one = fit(of, Object.hasOwn(given, key) ? given[key] : undefined);
    if (one !== undefined) fitted[key] = one;
  }
  return fitted;
}

/** Levels of a field that this version does not know. JSON.parse reads thousands of them, but JSON.stringify throws. */
const MAX_DEPTH = 16;

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((one) => isDeeper(one, depth - 1));
}

function fits(shape: Shape, value: unknown): boolean {
  if (typeof shape === 'string') return typeof value === shape;
  if ('nullable' in shape) return value === null || fits(shape.nullable, value);
  if ('optional' in shape) return true;
  return 'list' in shape ? Array.isArray(value) : isObject(value);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
