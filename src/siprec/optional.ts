/** The properties of `T` that may be undefined become those that may be absent. */
export type Present<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/**
 * The same object without those properties that are undefined. To be preferred, where calls pass, to a literal that begins with spreads: Node 20 gives each
 * such object a shape of its own (docs/decisions/029).
 */
export function present<T extends object>(properties: T): Present<T> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(properties)) if (value !== undefined) result[key] = value;
  return result as Present<T>;
}

/** A property that is absent rather than undefined. */
export const optional = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> =>
  value === undefined ? {} : ({ [key]: value } as Record<K, V>);
