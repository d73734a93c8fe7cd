/** A Content-Type or Content-Disposition value, names in lower case. */
export interface HeaderValue {
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
}

// One parameter: `;`, a name, `=`, then a quoted string or everything up to the next `;`. Blanks anywhere between.
const PARAMETER = /;\s*([^\s=;]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*)))?/g;

/** Takes a header value apart (RFC 2045 §5.1), with or without quotes and blanks around the parameters. Never throws. */
export function parseHeaderValue(text: string): HeaderValue {
  const end = text.indexOf(';');
  const value = (end === -1 ? text : text.slice(0, end)).trim().toLowerCase();
  const parameters = new Map<string, string>();
  if (end !== -1)
    for (const [, name = '', quoted, plain = ''] of text.slice(end).matchAll(PARAMETER)) {
      const key = name.toLowerCase();
      if (!parameters.has(key)) parameters.set(key, quoted?.replace(/\\(.)/g, '$1') ?? plain.trim());
    }
  return { value, parameters };
}
