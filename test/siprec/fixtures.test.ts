import { describe, expect, test } from '@jest/globals';
import { buildAnswer } from '../../src/siprec/answer.ts';
import { parseBody } from '../../src/siprec/body.ts';
import { describeCall } from '../../src/siprec/description.ts';
import { applyUpdate, type MetadataState } from '../../src/siprec/metadata-state.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { optionTags, recogniseSession } from '../../src/siprec/recognise.ts';
import { parseSdp } from '../../src/siprec/sdp.ts';
import { loadExpected, loadMessage } from './fixture.ts';

const at = Date.UTC(2026, 10, 23, 18, 45, 31);

/** Everything we conclude from a stored INVITE, as its JSON file states it. */
function conclude(name: string, before?: MetadataState): Record<string, unknown> {
  const message = loadMessage(name);
  const header = (key: string): string => message.headers.get(key) ?? '';
  const body = parseBody(header('content-type'), message.body);
  const offer = parseSdp(body.sdp ?? '');
  const state = body.metadata === undefined ? before : applyUpdate(before, parseMetadata(body.metadata), at);
  const recognition = recogniseSession(
    {
      required: optionTags(header('require')),
      supported: optionTags(header('supported')),
      contact: header('contact'),
      hasMetadata: body.metadata !== undefined,
      ciscoParticipant: message.headers.has('x-cisco-recording-participant'),
      from: header('from'),
    },
    'compat',
  );
  const answer = buildAnswer(offer, {
    address: '192.0.2.1',
    ports: new Map(offer.lines.map(({ index }) => [index, 40_000 + 2 * index])),
    sessionId: '1',
    version: 1,
  });
  return {
    recognition,
    bodyWarnings: body.warnings,
    answer: answer.split('\r\n').slice(0, -1),
    description: describeCall({
      offer,
      state,
      metadataStatus: state?.mode ?? 'absent',
      headers: Object.fromEntries(message.headers),
    }),
  };
}

describe('what is concluded from a stored INVITE', () => {
  test.each([
    ['RFC 7865 with two audio and two video lines', 'rfc-basic'],
    ['OpenSIPS with rtpengine 10.5: label 1 comes first and is the caller', 'opensips-basic'],
    [
      'OpenSIPS with rtpengine 12.5: label 0 comes first, label 1 is still the caller',
      'opensips-rtpengine-12',
    ],
    [
      'draft namespace with a prefix, nested send and recv, a second description behind the SDP',
      'draft-nested',
    ],
    ['the siprec namespace: metadata first, one mixed line, no Require', 'siprec-namespace'],
    ['one mixed line with an unterminated Contact', 'one-mixed-line'],
    ['network-based recording without metadata', 'sdp-only'],
    ['nested multipart with metadata known only by its root element', 'nested-multipart'],
  ])('%s', (_title, name) => {
    expect(conclude(name)).toEqual(loadExpected(name));
  });
});
