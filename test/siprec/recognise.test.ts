import { describe, expect, test } from '@jest/globals';
import { optionTags, recogniseSession, unknownTags, type SessionFacts } from '../../src/siprec/recognise.ts';

const facts = (some: Partial<SessionFacts>): SessionFacts => ({
  required: [],
  supported: [],
  contact: '<sip:a@192.0.2.10>',
  hasMetadata: false,
  ciscoParticipant: false,
  from: '<sip:a@192.0.2.10>;tag=1',
  ...some,
});

describe('recogniseSession', () => {
  test.each<[string, Partial<SessionFacts>, boolean, boolean]>([
    ['both signs (RS-1)', { required: ['siprec'], contact: '<sip:a@192.0.2.10>;+sip.src' }, true, true],
    ['the tag in Supported', { supported: ['siprec'], contact: '<sip:a@192.0.2.10>;+sip.src' }, true, true],
    ['only the option tag', { required: ['siprec'] }, true, false],
    ['only the feature tag', { contact: '<sip:a@192.0.2.10>;+sip.src' }, true, false],
    ['+sip.src inside the brackets (SIG-9)', { contact: '<sip:a@192.0.2.10;+sip.src>' }, true, false],
    ['+sip.src without the closing bracket (SIG-9)', { contact: '<sip:a@192.0.2.10;+sip.src' }, true, false],
    ['an addr-spec with +sip.src (SIG-9)', { contact: 'sip:a@192.0.2.10;+sip.src' }, true, false],
    ['src as a parameter', { contact: '<sip:a@192.0.2.10>;src' }, true, false],
    ['metadata in the body', { hasMetadata: true }, true, false],
    ['X-Cisco-Recording-Participant', { ciscoParticipant: true }, true, false],
    ['x-nearend in From', { from: '<sip:a@192.0.2.10;x-nearend;x-refci=1>;tag=1' }, true, false],
    ['nothing', {}, false, false],
    ['a user called sip.src', { contact: '<sip:sip.src@192.0.2.10>' }, false, false],
    ['a parameter that begins with src', { contact: '<sip:a@192.0.2.10>;srcx=1' }, false, false],
  ])('%s (RS-2, RS-4)', (_title, some, compat, strict) => {
    expect(recogniseSession(facts(some), 'compat').recording).toBe(compat);
    expect(recogniseSession(facts(some), 'strict').recording).toBe(strict);
  });

  test('says what is missing', () => {
    expect(recogniseSession(facts({}), 'strict')).toEqual({
      recording: false,
      missing: 'Contact without +sip.src',
    });
    expect(recogniseSession(facts({ contact: '<sip:a@b>;+sip.src' }), 'strict')).toEqual({
      recording: false,
      missing: 'no option tag siprec',
    });
  });
});

describe('option tags', () => {
  test.each([
    ['siprec', ['siprec']],
    [' Timer , SIPREC,, ', ['timer', 'siprec']],
    ['100relsiprec', ['100rel', 'siprec']],
    ['siprecfoo', ['siprecfoo']],
    ['', []],
  ])('%p gives %p (RS-5)', (header, tags) => {
    expect(optionTags(header)).toEqual(tags);
  });

  test('unknown ones are named (UAS-5)', () => {
    expect(unknownTags(['siprec', 'timer', '100rel', 'foo', 'bar'])).toEqual(['foo', 'bar']);
  });
});
