import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { buildAnswer, planLines } from '../../src/siprec/answer.ts';
import { parseBody } from '../../src/siprec/body.ts';
import { describeCall } from '../../src/siprec/description.ts';
import { SiprecError } from '../../src/siprec/errors.ts';
import { applyUpdate } from '../../src/siprec/metadata-state.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';
import { loadMessage } from './fixture.ts';

/** Runs and tolerates only what the folder promises to throw. */
function onlySiprecError<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    expect(error).toBeInstanceOf(SiprecError);
    return undefined;
  }
}

/** Everything that happens with a body, from octets to description and answer. */
function walk(contentType: string | undefined, text: string): void {
  const body = onlySiprecError(() => parseBody(contentType, text));
  if (body === undefined) return;
  const { sdp, metadata } = body;
  const update = metadata === undefined ? undefined : onlySiprecError(() => parseMetadata(metadata));
  const state = update && applyUpdate(applyUpdate(undefined, update, 0), update, 1);
  const offer = sdp === undefined ? undefined : onlySiprecError(() => parseSdp(sdp));
  if (offer === undefined) return;
  describeCall({ offer, state, metadataStatus: 'complete' });
  checkAnswer(offer);
}

function checkAnswer(offer: SessionOffer): void {
  const ports = new Map(planLines(offer).map(({ index }) => [index, 2 * index + 10_000]));
  const answer = onlySiprecError(() =>
    buildAnswer(offer, { address: '192.0.2.1', ports, sessionId: '1', version: 1 }),
  );
  if (answer === undefined) return;
  const back = parseSdp(answer);
  expect(back.lines.map(({ media }) => media)).toEqual(offer.lines.map(({ media }) => media));
  expect(back.lines.map(({ label }) => label)).toEqual(
    offer.lines.map(({ label }, index) => (back.lines[index]?.port === 0 ? undefined : label)),
  );
}

const names = [
  'rfc-basic',
  'opensips-basic',
  'draft-nested',
  'siprec-namespace',
  'one-mixed-line',
  'nested-multipart',
];
const seeds = names
  .map(loadMessage)
  .map(({ headers, body }) => ({ contentType: headers.get('content-type'), body }));

const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '\r\n',
    '\n\n',
    '--',
    ':',
    '=',
    ';',
    '"',
    '<',
    '>',
    '&',
    '</recording>',
    'm=audio ',
    'a=label:',
    '\0',
    '65536',
  ),
);

/** A stored body with some pieces cut out, doubled or overwritten. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.noBias(fc.nat(9999)), fc.nat(40), noise), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([seed, edits]) => {
    let { body } = seed;
    for (const [where, cut, text] of edits) {
      const from = Math.floor((where / 10_000) * body.length);
      body = body.slice(0, from) + text + body.slice(from + cut);
    }
    return { contentType: seed.contentType, body };
  });

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array).toString('utf8'));

describe('only ever SiprecError is thrown', () => {
  test('by arbitrary octets under any Content-Type', () => {
    const type = fc.oneof(
      fc.constantFrom(
        'multipart/mixed;boundary=b',
        'application/sdp',
        'application/rs-metadata+xml',
        undefined,
      ),
      fc.string({ unit: 'binary', maxLength: 40 }),
    );
    fc.assert(
      fc.property(type, bytes, (contentType, text) => {
        walk(contentType, text);
      }),
      { numRuns: 2000 },
    );
  });

  test('by arbitrary octets as SDP', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          bytes.map((text) => `v=0\n${text}`),
        ),
        (text) => {
          onlySiprecError(() => parseSdp(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('by arbitrary octets as metadata', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          bytes.map((text) => `<recording>${text}</recording>`),
        ),
        (text) => {
          onlySiprecError(() => parseMetadata(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('by damaged messages of real shape', () => {
    fc.assert(
      fc.property(mutated, ({ contentType, body }) => {
        walk(contentType, body);
      }),
      { numRuns: 3000 },
    );
  });
});
