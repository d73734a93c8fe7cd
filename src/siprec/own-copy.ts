/**
 * The same text in memory of its own. What is cut out of a text shares its memory in V8, from 13 characters on, and keeps the whole of it, be it a
 * message with megabytes of metadata: for those who remember what they cut out.
 */
export const ownText = (text: string): string => Buffer.from(text, 'utf16le').toString('utf16le');

/** The same list without room for more: what `filter` and `flatMap` make has room for seventeen, however few there are, as long as the call lasts. */
export const ownList = <T>(list: readonly T[]): readonly T[] => list.slice();
