/** Longer than any name, address or software version; the rest is cut. */
const MAX_LENGTH = 300;

/** A client's text as one line that can go into a log, a page or a `Key: value` file: no control characters, no breaks. */
export const plainText = (text: string): string =>
  text
    .replace(/[\0-\x1f\x7f-\x9f\s]+/g, ' ')
    .trim()
    .slice(0, MAX_LENGTH);
