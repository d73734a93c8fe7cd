/** Longer than any name, address or software version; the rest is cut. */
const MAX_LENGTH = 300;

/** Words of printable ASCII with one blank between them: nearly every text there is, and nothing to be done about it. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/;

/** A client's text as one line that can go into a log, a page or a `Key: value` file: no control characters, no breaks. */
export const plainText = (text: string): string =>
  text === '' || (text.length <= MAX_LENGTH && PLAIN.test(text))
    ? text
    : text
        .replace(/[\0-\x1f\x7f-\x9f\s]+/g, ' ')
        .trim()
        .slice(0, MAX_LENGTH);
