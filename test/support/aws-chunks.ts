import { AwsError, invalidRequest } from './aws-error.ts';

const malformed = (): AwsError =>
  new AwsError(
    400,
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  );

/**
 * The octets of a body in `aws-chunked` transfer without chunk signatures (STREAMING-UNSIGNED-PAYLOAD-TRAILER). What
 * stands behind the last chunk goes to `trailers`.
 *
 * @throws AwsError for another framing
 */
export async function* decodeAwsChunks(
  body: AsyncIterable<Buffer>,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  /** Octets of the chunk that are still to come, or what the next line is. */
  let left: number | 'size' | 'end' | 'trailers' = 'size';
  for await (const part of body) {
    held = held.length === 0 ? part : Buffer.concat([held, part]);
    while (typeof left === 'number' ? held.length > 0 : held.includes('\r\n'))
      if (typeof left === 'number') {
        const taken = held.subarray(0, left);
        held = held.subarray(taken.length);
        left = taken.length === left ? 'end' : left - taken.length;
        yield taken;
      } else {
        const at = held.indexOf('\r\n');
        const line = held.toString('latin1', 0, at);
        held = held.subarray(at + 2);
        left = after(left, line, trailers);
      }
  }
  if (left !== 'trailers') throw malformed();
}

function after(
  state: 'size' | 'end' | 'trailers',
  line: string,
  trailers: Map<string, string>,
): number | 'size' | 'trailers' {
  if (state === 'end') {
    if (line !== '') throw malformed();
    return 'size';
  }
  if (state === 'size') {
    if (!/^[0-9a-f]+$/i.test(line)) throw invalidRequest(`Not the size of a chunk: ${line.slice(0, 40)}`);
    const size = Number.parseInt(line, 16);
    return size === 0 ? 'trailers' : size;
  }
  const [name = '', value = ''] = line.split(/:(.*)/s, 2);
  if (name !== '') trailers.set(name.trim().toLowerCase(), value.trim());
  return 'trailers';
}
