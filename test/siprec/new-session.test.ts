import { describe, expect, test } from '@jest/globals';
import { applyUpdate, type MetadataState } from '../../src/siprec/metadata-state.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { snapshotRequest, wantsSnapshot } from '../../src/siprec/snapshot.ts';
import { parseXml } from '../../src/siprec/xml.ts';

const at = Date.UTC(2026, 10, 23, 19);
const START = '2026-11-23T18:50:00Z';

const play = (...documents: readonly string[]): MetadataState | undefined =>
  documents.reduce<MetadataState | undefined>(
    (state, xml) => applyUpdate(state, parseMetadata(xml), at),
    undefined,
  );

const complete = (inner: string): string => `<recording><datamode>complete</datamode>${inner}</recording>`;
const partial = (inner: string): string => `<recording><datamode>partial</datamode>${inner}</recording>`;
const broadworks = (inner: string): string =>
  `<recording_metadata><dataMode>complete</dataMode>${inner}</recording_metadata>`;
const stopped = (id: string): string =>
  `<session session_id="${id}"><stop-time>${START}</stop-time></session>`;
const running = (id: string): string =>
  `<session session_id="${id}"><start-time>${START}</start-time></session>`;
const person = (id: string, session: string): string =>
  `<participant id="${id}" session="${session}"><aor>sip:anna@x</aor></participant>`;

describe('a new communication session in the same dialog (siprec-interop 2.5, RFC 8068 3.2.3)', () => {
  test.each<[string, readonly string[]]>([
    ['a complete document with another session', [complete(running('a')), complete(running('b'))]],
    [
      'the old one stopped and a new one in one partial document',
      [complete(running('a')), partial(stopped('a') + running('b'))],
    ],
    ['the old one stopped first', [complete(running('a')), partial(stopped('a')), complete(running('b'))]],
    ['a persistent dialog between calls', [complete(running('a')), complete(''), complete(running('b'))]],
    [
      'the old one stopped in BroadWorks',
      [broadworks(running('a')), broadworks(stopped('a') + running('b'))],
    ],
  ])('%s', (_title, documents) => {
    expect(play(...documents)?.newSession).toEqual({
      id: 'b',
      startedAt: { text: START, epoch: Date.UTC(2026, 10, 23, 18, 50) },
    });
  });

  test.each<[string, readonly string[]]>([
    ['the first session of a dialog', [complete(running('a'))]],
    ['the first session of a persistent dialog (META-10)', [complete(''), complete(running('a'))]],
    ['the same session again', [complete(running('a')), complete(running('a'))]],
    ['a second session beside the first (META-11)', [complete(running('a')), partial(running('b'))]],
    ['both sessions in a complete document', [complete(running('a')), complete(running('a') + running('b'))]],
    ['a session that only ends', [complete(running('a')), complete(stopped('a'))]],
    [
      'a redirection of BroadWorks, which renames everything',
      [broadworks(running('a')), broadworks(running('b'))],
    ],
    ['a session without an id', [complete(running('a')), complete('<session/>')]],
    [
      'the document after the one that opened it',
      [complete(running('a')), complete(running('b')), complete(running('b'))],
    ],
  ])('is not: %s', (_title, documents) => {
    expect(play(...documents)?.newSession).toBeUndefined();
  });

  test('BroadWorks keeps a person through a redirection by the address', () => {
    const state = play(
      broadworks(running('a') + person('p1', 'a')),
      broadworks(running('b') + person('p2', 'b')),
    );
    expect(state?.participants).toMatchObject([{ id: 'p2' }]);
    expect(state?.participants).toHaveLength(1);
  });

  test('who is in two sessions stays while one of them ends (META-11)', () => {
    const joins = (session: string): string =>
      `<participantsessionassoc participant_id="p" session_id="${session}"/>`;
    const both = complete(`${running('a')}${running('b')}<participant id="p"/>${joins('a')}${joins('b')}`);
    expect(play(both, partial(stopped('a')))?.participants[0]).not.toHaveProperty('disassociatedAt');
    expect(play(both, partial(stopped('a')), partial(stopped('b')))?.participants[0]).toMatchObject({
      disassociatedAt: { text: START },
    });
  });

  test('an association with a session nobody named still says who left (CUBE)', () => {
    const state = play(
      complete(
        `${running('a')}<participant id="p"/><participantsessionassoc participant_id="p" session_id="p"/>`,
      ),
      partial(
        `<participantsessionassoc participant_id="p" session_id="p"><disassociate-time>${START}</disassociate-time></participantsessionassoc>`,
      ),
    );
    expect(state?.participants).toMatchObject([{ id: 'p', disassociatedAt: { text: START } }]);
  });
});

describe('a snapshot', () => {
  const known = (...documents: readonly string[]): Parameters<typeof wantsSnapshot>[0] => {
    const state = play(...documents);
    return { state, metadataStatus: state?.mode ?? 'absent' };
  };
  const stranger = partial(
    '<participantstreamassoc participant_id="who"><send>x</send></participantstreamassoc>',
  );

  test.each([
    ['a partial document came first (SNAP-1)', known(partial(running('a'))), 'INVITE, UPDATE', true],
    ['a partial one speaks of strangers (SNAP-1)', known(complete(running('a')), stranger), 'update', true],
    ['a complete one came after that', known(stranger, complete(running('a'))), 'UPDATE', false],
    [
      'metadata could not be read (META-7)',
      { state: undefined, metadataStatus: 'invalid' as const },
      'UPDATE',
      true,
    ],
    ['all is known', known(complete(running('a'))), 'UPDATE', false],
    ['there was never any', known(), 'UPDATE', false],
    ['the client does not allow it (SNAP-4)', known(stranger), 'INVITE, BYE', false],
    ['the client does not say', known(stranger), undefined, false],
  ])('is wanted when %s', (_title, state, allow, wanted) => {
    expect(wantsSnapshot(state, allow)).toBe(wanted);
  });

  test.each([undefined, 'gap <&> \u0000'])('is asked for with reason %p (SNAP-2)', (reason) => {
    const { root } = parseXml(snapshotRequest(reason));
    expect(root.name).toBe('requestsnapshot');
    expect(root.children.map(({ name, text }) => [name, text])).toEqual(
      reason === undefined ? [] : [['requestreason', 'gap <&> ?']],
    );
  });
});
