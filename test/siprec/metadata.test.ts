import { describe, expect, test } from '@jest/globals';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { parseTime } from '../../src/siprec/timestamp.ts';

const recording = (inner: string): string =>
  `<recording xmlns="urn:ietf:params:xml:ns:recording:1">${inner}</recording>`;

describe('parseMetadata', () => {
  test('reads the elements of RFC 7865', () => {
    const update = parseMetadata(
      recording(`
        <datamode>partial</datamode>
        <group group_id="g"/>
        <session session_id="s"><sipSessionID>a;
           remote=b</sipSessionID><group-ref>g</group-ref><reason>transfer</reason>
           <start-time>2026-11-23T18:45:30Z</start-time><stop-time>2026-11-23T18:50:00+01:00</stop-time></session>
        <participant participant_id="p"><nameID aor="sip: 777 @pbx.example"><name> A </name></nameID>
          <nameID aor="tel:+15550100"/></participant>
        <stream stream_id="x" session_id="s"><label>1</label></stream>
        <participantsessionassoc participant_id="p" session_id="s">
          <associate-time>2026-11-23T18:45:30Z</associate-time></participantsessionassoc>
        <participantstreamassoc participant_id="p"><send>x</send><recv> y </recv><recv/></participantstreamassoc>`),
    );
    expect(update).toEqual({
      mode: 'partial',
      groups: ['g'],
      sessions: [
        {
          id: 's',
          group: 'g',
          sipSessionIds: ['a;remote=b'],
          startedAt: { text: '2026-11-23T18:45:30Z', epoch: Date.UTC(2026, 10, 23, 18, 45, 30) },
          stoppedAt: { text: '2026-11-23T18:50:00+01:00', epoch: Date.UTC(2026, 10, 23, 17, 50, 0) },
          reason: 'transfer',
        },
      ],
      participants: [
        { id: 'p', names: [{ aor: 'sip:777@pbx.example', name: 'A' }, { aor: 'tel:+15550100' }] },
      ],
      streams: [{ id: 'x', session: 's', label: '1' }],
      sessionAssociations: [
        {
          participant: 'p',
          session: 's',
          associatedAt: { text: '2026-11-23T18:45:30Z', epoch: Date.UTC(2026, 10, 23, 18, 45, 30) },
        },
      ],
      streamAssociations: [{ participant: 'p', sends: ['x'], receives: ['y'] }],
      extensions: [],
      dialect: 'standard',
      namespaces: ['urn:ietf:params:xml:ns:recording:1'],
      warnings: [],
    });
  });

  test.each([
    ['RFC 7865', 'xmlns="urn:ietf:params:xml:ns:recording:1"', 'recording', ''],
    ['the recording draft', 'xmlns="urn:ietf:params:xml:ns:recording"', 'recording', ''],
    ['the siprec draft', 'xmlns="urn:ietf:params:xml:ns:siprec"', 'recording_metadata', ''],
    ['a prefix', 'xmlns:tns="urn:ietf:params:xml:ns:recording:1"', 'tns:recording', 'tns:'],
    ['no namespace at all', '', 'recording', ''],
  ])('matches by local name: %s (META-2)', (_title, namespace, root, prefix) => {
    const update = parseMetadata(
      `<${root} ${namespace}><${prefix}participant ${prefix}id="p"><${prefix}aor>sip:a@b</${prefix}aor>` +
        `<${prefix}send><${prefix}id>x</${prefix}id></${prefix}send></${prefix}participant></${root}>`,
    );
    expect(update.participants).toEqual([
      { id: 'p', names: [{ aor: 'sip:a@b' }], streams: { sends: ['x'], receives: [] } },
    ]);
  });

  test.each([
    ['<datamode>partial</datamode>', 'partial'],
    ['<dataMode> Partial </dataMode>', 'partial'],
    ['<dataMode>complete</dataMode>', 'complete'],
    ['', 'complete'],
    ['<datamode>odd</datamode>', 'complete'],
  ])('reads %p as %s', (element, mode) => {
    expect(parseMetadata(recording(element)).mode).toBe(mode);
  });

  test.each([
    ['a byte order mark', '\uFEFF<?xml version="1.0"?><recording/>'],
    ['blanks before the declaration', '\n  <?xml version="1.0"?><recording/>'],
    ['single quotes', "<?xml version='1.0' encoding='UTF-8'?><recording id='1'/>"],
    ['nothing inside (META-10)', '<recording/>'],
  ])('accepts %s (META-1)', (_title, xml) => {
    expect(parseMetadata(xml).participants).toEqual([]);
  });

  test('decodes the five entities, character numbers and CDATA, nothing else', () => {
    const name = '&lt;A &amp; B&gt; &#233;&#x20AC;&#0; &amp;amp; <![CDATA[<&amp;>]]>';
    const update = parseMetadata(
      recording(`<participant participant_id="p&quot;"><name>${name}</name></participant>`),
    );
    expect(update.participants).toEqual([{ id: 'p"', names: [{ name: '<A & B> é€\uFFFD &amp; <&amp;>' }] }]);
  });

  test('takes a stray & literally and says so', () => {
    const update = parseMetadata(
      recording(
        '<participant participant_id="p"><nameID aor="sip:a&b@c"><name>Smith & Sons &co;</name></nameID></participant>',
      ),
    );
    expect(update.participants[0]?.names).toEqual([{ aor: 'sip:a&b@c', name: 'Smith & Sons &co;' }]);
    expect(update.warnings).toEqual(['metadata has an unescaped &']);
  });

  test('counts the first of two elements with one id (META-6)', () => {
    const update = parseMetadata(
      recording(
        '<stream stream_id="x"><label>1</label></stream><stream stream_id="x"><label>2</label></stream>',
      ),
    );
    expect(update.streams).toEqual([{ id: 'x', label: '1' }]);
    expect(update.warnings).toEqual(['metadata has a second stream with the id of the first']);
  });

  test('gives every name and address as one clean line of bounded length', () => {
    const update = parseMetadata(
      recording(
        `<participant participant_id="a&#10;b"><nameID aor="sip:&#x85;x@y"><name>Anna&#10;Status: forged\u0007&#8232;! </name></nameID></participant>` +
          `<participant participant_id="long"><name>${'x'.repeat(1000)}</name></participant>`,
      ),
    );
    expect(update.participants).toEqual([
      { id: 'a b', names: [{ aor: 'sip: x@y', name: 'Anna Status: forged !' }] },
      { id: 'long', names: [{ name: 'x'.repeat(300) }] },
    ]);
  });

  test('participants without an id are still told apart', () => {
    const update = parseMetadata(
      recording('<participant><aor>sip:a@b</aor></participant><participant><aor>sip:c@d</aor></participant>'),
    );
    expect(update.participants.map(({ id }) => id)).toEqual(['#1', '#2']);
  });

  test('leaves extension data alone, in whatever namespace it is (META-3)', () => {
    const update = parseMetadata(
      recording('<extensiondata><participant id="no"/></extensiondata><x:other><session id="no"/></x:other>'),
    );
    expect([...update.participants, ...update.sessions]).toEqual([]);
  });

  test.each([
    ['no XML', 'hello', 'BAD_XML'],
    ['nothing', '', 'BAD_XML'],
    ['another root', '<requestsnapshot/>', 'BAD_XML'],
    ['an element left open', '<recording><session></recording>', 'BAD_XML'],
    ['two roots', '<recording/><recording/>', 'BAD_XML'],
    ['a document type (META-16)', '<!DOCTYPE recording><recording/>', 'BAD_XML'],
    [
      'an entity bomb (META-16)',
      '<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]><recording>&b;</recording>',
      'BAD_XML',
    ],
    ['a dangerous name', '<recording><__proto__ a="1"/></recording>', 'BAD_XML'],
    ['deep nesting', `${'<recording>'.repeat(40)}${'</recording>'.repeat(40)}`, 'BAD_XML'],
    ['too many elements', recording('<a/>'.repeat(6000)), 'TOO_LARGE'],
    ['300 KB', recording(`<name>${'x'.repeat(300_000)}</name>`), 'TOO_LARGE'],
  ])('refuses %s', (_title, xml, code) => {
    expect(() => parseMetadata(xml)).toThrow(expect.objectContaining({ name: 'SiprecError', code }));
  });
});

describe('parseTime keeps the text and knows the moment only with an offset (META-9)', () => {
  test.each([
    ['2026-11-23T18:45:30Z', Date.UTC(2026, 10, 23, 18, 45, 30)],
    ['2026-11-23t18:45:30.123456z', Date.UTC(2026, 10, 23, 18, 45, 30, 123)],
    ['2026-11-23T18:45:30-05:30', Date.UTC(2026, 10, 24, 0, 15, 30)],
    ['2026-11-23T20:21:47+0000', Date.UTC(2026, 10, 23, 20, 21, 47)],
    ['1970-05-13T01:02:03Z', Date.UTC(1970, 4, 13, 1, 2, 3)],
    ['2026-11-23T18:45:30', undefined],
    ['2026-02-30T18:45:30Z', undefined],
    ['2026-11-23T25:00:00Z', undefined],
    ['yesterday', undefined],
  ])('%s', (text, epoch) => {
    expect(parseTime(text)).toEqual(epoch === undefined ? { text } : { text, epoch });
  });
});
