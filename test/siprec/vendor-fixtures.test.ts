import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { parseBody } from '../../src/siprec/body.ts';
import { optionTags, recogniseSession } from '../../src/siprec/recognise.ts';
import type { CallDescription, Party } from '../../src/siprec/description.ts';
import { readStoredMessage } from '../support/stored-message.ts';
import { concludeDialog, eventsOf, linesOf, loadCase, type ExpectedDescription } from './vendor-call.ts';

const folder = new URL('../../fixtures/siprec/', import.meta.url);
const run = promisify(execFile);

const vendors = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/messages.txt`, folder)))
  .map((entry) => entry.name)
  .filter((name) => name !== 'odd');

const filesOf = (vendor: string, ending: string): readonly string[] =>
  readdirSync(new URL(`${vendor}/`, folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));

describe('the stored vendor messages', () => {
  test('are what make-fixtures.mjs writes, octet by octet', async () => {
    const script = fileURLToPath(new URL('make-fixtures.mjs', folder));
    await expect(run(process.execPath, [script, '--check'])).resolves.toEqual({ stdout: '', stderr: '' });
  });

  test('cover the vendors of the requirement list', () => {
    expect(vendors.toSorted()).toEqual(
      [
        ...['audiocodes', 'avaya-sbce', 'broadworks', 'cube-nbr', 'cube-siprec', 'cucm-bib', 'freeswitch'],
        ...['jambonz', 'metaswitch', 'oracle', 'rfc', 'ribbon', 'sems', 'telnyx', 'twilio', 'webex'],
      ].toSorted(),
    );
  });

  test.each(vendors)('of %s all say what they mean', (vendor) => {
    expect(filesOf(vendor, '.json')).toEqual(filesOf(vendor, '.sip'));
  });

  test.each(vendors)('of %s have exact lengths and only CRLF', (vendor) => {
    for (const name of filesOf(vendor, '.sip')) {
      const { headers, octets } = readStoredMessage(new URL(`${vendor}/${name}.sip`, folder));
      expect([name, Number(headers['content-length'])]).toEqual([name, octets.length]);
      expect([name, octets.toString('latin1').replaceAll('\r\n', '').includes('\n')]).toEqual([name, false]);
    }
  });
});

describe('an INVITE is recognised as a recording session (RS-1, RS-2, RS-4)', () => {
  test.each([
    ['metaswitch', 'originating-invite', true],
    ['broadworks', 'mixed-invite', false],
    ['broadworks', 'dual-stream-invite', false],
    ['webex', 'invite', false],
    ['cube-siprec', 'invite', true],
    ['cube-nbr', 'invite', false],
    ['cucm-bib', 'near-invite', false],
    ['cucm-bib', 'far-invite', false],
    ['avaya-sbce', 'mono-invite', true],
    ['oracle', 'invite', true],
    ['audiocodes', 'legacy-invite', false],
    ['audiocodes', 'rfc-invite', false],
    ['ribbon', 'invite', true],
    ['jambonz', 'invite', true],
    ['sems', 'invite', true],
    ['freeswitch', 'invite', true],
    ['telnyx', 'invite', true],
    ['twilio', 'invite', true],
  ])('%s %s: always in compat mode, in strict mode %s', (vendor, name, strictly) => {
    const message = readStoredMessage(new URL(`${vendor}/${name}.sip`, folder));
    const header = (key: string): string => message.headers[key] ?? '';
    const facts = {
      required: optionTags(header('require')),
      supported: optionTags(header('supported')),
      contact: header('contact'),
      hasMetadata: parseBody(header('content-type'), message.body).metadata !== undefined,
      ciscoParticipant: header('x-cisco-recording-participant') !== '',
      from: header('from'),
    };
    expect(recogniseSession(facts, 'compat').recording).toBe(true);
    expect(recogniseSession(facts, 'strict').recording).toBe(strictly);
  });
});

for (const vendor of vendors)
  describe(vendor, () => {
    const cases = filesOf(vendor, '.json').map((name) => ({ name, stated: loadCase(vendor, name) }));
    for (const { name, stated } of cases)
      test(`${name}: ${stated.title} (${stated.requirements.join(', ')})`, () => {
        const concluded = concludeDialog(vendor, stated.after ?? [], name);
        const { sdp, metadata } = concluded.body;
        expect({ hasSdp: sdp !== undefined, hasMetadata: metadata !== undefined }).toEqual(stated.body);
        expect(stated.lines !== undefined).toBe(concluded.offer !== undefined);
        if (concluded.offer !== undefined)
          expect(linesOf(concluded.offer)).toEqual(
            (stated.lines ?? []).map((line): unknown =>
              expect.objectContaining({ ...line, codecs: expect.arrayContaining([...line.codecs]) }),
            ),
          );
        if (stated.description !== undefined) compare(concluded.description, stated.description);
        if (stated.events !== undefined) expect(eventsOf(concluded)).toMatchObject(stated.events);
      });
  });

describe('which way, for clients that do not say it (5.2-2)', () => {
  test.each([
    ['the callee is ours', ['+12025550111'], 'in'],
    ['the caller is ours', ['+12025550144'], 'out'],
    ['both are ours', ['+1202555*'], 'internal'],
    ['neither is ours', ['+12025550999'], 'unknown'],
    ['no number is known to be ours', [], 'unknown'],
  ])('%s', (_case, ownNumbers, direction) => {
    const found = ['avaya-sbce/two-lines-invite', 'audiocodes/rfc-invite', 'oracle/callee-first-invite']
      .concat(['jambonz/invite', 'ribbon/invite', 'sems/invite', 'twilio/invite'])
      .map((path) => {
        const [vendor = '', name = ''] = path.split('/');
        return [path, concludeDialog(vendor, [], name, ownNumbers).description.direction];
      });
    expect(found).toEqual(found.map(([path]) => [path, direction]));
  });
});

describe('recordings of one call', () => {
  test('are linked by its UCID, whatever each controller makes of it (5.4, 5.5)', () => {
    const linksOf = (vendor: string, name: string): readonly string[] =>
      (concludeDialog(vendor, [], name).description.related ?? []).map(
        ({ kind, value }) => `${kind} ${value}`,
      );
    const all = [
      linksOf('avaya-sbce', 'mono-invite'),
      linksOf('oracle', 'invite'),
      linksOf('oracle', 'callee-first-invite'),
      linksOf('audiocodes', 'legacy-invite'),
    ];
    for (const links of all) expect(links).toContain('ucid 00007002581795459530');
  });

  test('by CUCM are two halves with one key, although their Cisco-Guid differs (4.6)', () => {
    const near = concludeDialog('cucm-bib', [], 'near-invite').description.pair;
    const far = concludeDialog('cucm-bib', [], 'far-invite').description.pair;
    expect([near?.side, far?.side]).toEqual(['near', 'far']);
    expect(far?.key).toBe(near?.key);
    expect(near?.key).toContain('27710001');
  });
});

/** Every field that is stated; a list of spellings asks for one of them. */
function compare(found: CallDescription, stated: ExpectedDescription): void {
  expect(summaryOf(found, stated)).toEqual(wantedOf(stated));
  const named = [found.caller, found.callee].flatMap(({ number, name }) => [number, name]);
  for (const nobody of stated.neverNamed ?? []) expect(named).not.toContain(nobody);
}

function wantedOf(stated: ExpectedDescription): unknown {
  const special = {
    ...(stated.caller && { caller: partyLike(stated.caller) }),
    ...(stated.callee && { callee: partyLike(stated.callee) }),
    ...(stated.related && { related: expect.arrayContaining([...stated.related]) as unknown }),
    ...(stated.parties && { parties: stated.parties }),
  };
  const fields = Object.entries(stated).filter(
    ([key]) => key !== 'neverNamed' && !Object.hasOwn(special, key),
  );
  return { ...Object.fromEntries(fields.map(([key, value]) => [key, spelled(value)])), ...special };
}

/** What was found, in the words of the fixtures and only as far as something is stated. */
function summaryOf(found: CallDescription, stated: ExpectedDescription): unknown {
  const all = {
    profile: found.profile,
    caller: found.caller,
    callee: found.callee,
    parties: numbersOf([found.caller, found.callee]),
    direction: found.direction,
    user: found.user?.value,
    group: found.group?.value,
    pbxCallId: found.pbxCallId?.value,
    related: found.related,
    callerLine: found.callerLine,
    calleeLine: found.calleeLine,
    noChannels: found.callerLine === undefined && found.calleeLine === undefined,
    participants: found.participants.filter(({ disassociatedAt }) => disassociatedAt === undefined).length,
    metadataStatus: found.metadataStatus,
    pair: found.pair?.side,
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => Object.hasOwn(stated, key)));
}

const numbersOf = (parties: readonly Party[]): readonly string[] =>
  parties.flatMap(({ number }) => number ?? []).toSorted();

const spelled = (value: unknown): unknown =>
  Array.isArray(value) ? expect.stringMatching(anyOf(value as readonly string[])) : value;

const anyOf = (spellings: readonly string[]): RegExp =>
  new RegExp(`^(?:${spellings.map((text) => text.replace(/[^\w ]/g, '\\$&')).join('|')})$`);

const partyLike = ({
  number,
  name,
}: {
  readonly number: string | readonly string[];
  readonly name?: string;
}): unknown => expect.objectContaining({ number: spelled(number), ...(name !== undefined && { name }) });
