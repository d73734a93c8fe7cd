import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { buildAnswer } from '../../src/siprec/answer.ts';
import { parseBody } from '../../src/siprec/body.ts';
import { describeCall } from '../../src/siprec/description.ts';
import { applyUpdate } from '../../src/siprec/metadata-state.ts';
import { parseMetadata, type MetadataUpdate } from '../../src/siprec/metadata.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';
import { readStoredMessage, type StoredMessage } from '../support/stored-message.ts';

interface OddCase {
  readonly title: string;
  readonly requirements: readonly string[];
  readonly error?: string;
  readonly names?: readonly string[];
  readonly answer?: readonly string[];
  readonly addresses?: readonly string[];
  readonly warning?: string;
}

const folder = new URL('../../fixtures/siprec/odd/', import.meta.url);
const cases = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((file) => {
    const stated = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as OddCase;
    return { name: file.slice(0, -'.json'.length), stated };
  });

/** As the product does it: the body as one character an octet, its metadata as octets again with the charset of its type. */
function readMetadata({ headers, octets }: StoredMessage): MetadataUpdate {
  const { metadata = '', metadataCharset } = parseBody(headers['content-type'], octets.toString('latin1'));
  return parseMetadata(Buffer.from(metadata, 'latin1'), metadataCharset);
}

const namesIn = (update: MetadataUpdate): readonly string[] =>
  update.participants.flatMap(({ names }) => names.flatMap(({ name }) => name ?? []));

/** `audio 40000 RTP/AVP label 1 recvonly` for each line of our answer. */
function answerTo(offer: SessionOffer): readonly string[] {
  const answer = buildAnswer(offer, {
    address: '192.0.2.1',
    ports: new Map(offer.lines.map(({ index }) => [index, 40_000 + 2 * index])),
    sessionId: '1',
    version: 1,
  });
  return parseSdp(answer).lines.map(({ media, port, protocol, label, direction }) =>
    [media, port, protocol, ...(port === 0 ? [] : [`label ${label ?? 'none'}`, direction])].join(' '),
  );
}

/** `<any>` stands for a port of ours with what follows, or for port 0. */
const answerLike = (line: string): unknown =>
  line.includes('<any>')
    ? expect.stringMatching(new RegExp(`^${line.replace('<any>', '\\d+')}(?: .*)?$`))
    : line;

describe('what no vendor has to himself', () => {
  test.each(cases)('$name: $stated.title ($stated.requirements)', ({ name, stated }) => {
    const message = readStoredMessage(new URL(`${name}.sip`, folder));
    const { error, names, answer, addresses, warning } = stated;
    if (error !== undefined)
      expect(() => readMetadata(message)).toThrow(expect.objectContaining({ code: error }));
    if (names !== undefined) expect(namesIn(readMetadata(message))).toEqual(names);
    expect([error, names, answer].some((statement) => statement !== undefined)).toBe(true);
    if (answer === undefined) return;
    const offer = parseSdp(parseBody(message.headers['content-type'], message.body).sdp ?? '');
    expect(answerTo(offer)).toEqual(answer.map(answerLike));
    if (addresses !== undefined) expect(offer.lines.map(({ address }) => address)).toEqual(addresses);
    const { warnings } = describeCall({ offer, state: undefined, metadataStatus: 'absent' });
    if (warning !== undefined) expect(warnings).toContain(warning);
  });

  test('lengths are exact', () => {
    for (const { name } of cases) {
      const { headers, octets } = readStoredMessage(new URL(`${name}.sip`, folder));
      expect([name, Number(headers['content-length'])]).toEqual([name, octets.length]);
    }
  });
});

describe('metadata of 300 KB (META-16)', () => {
  const filler = `<!--${'x'.repeat(300 * 1024)}-->`;
  const xml = `<recording xmlns="urn:ietf:params:xml:ns:recording:1">${filler}</recording>`;

  test.each([
    ['as text', xml],
    ['as octets', Buffer.from(xml)],
    ['as octets in UTF-16', Buffer.from(`\uFEFF${xml}`, 'utf16le')],
  ])('is refused %s', (_how, large) => {
    expect(() => parseMetadata(large)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
  });

  test('of 200 KB is read', () => {
    const { sessions } = applyUpdate(
      undefined,
      parseMetadata(
        xml.replace('x'.repeat(100 * 1024), '').replace('</recording>', '<session id="1"/></recording>'),
      ),
      0,
    );
    expect(sessions.map(({ id }) => id)).toEqual(['1']);
  });
});
